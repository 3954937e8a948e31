package contract_test

import (
	"testing"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
)

func decoder(tb testing.TB, out *product.Output) *contract.Decoder {
	tb.Helper()
	c, err := contract.New(out)
	if err != nil {
		tb.Fatal(err)
	}
	return c.NewDecoder()
}
