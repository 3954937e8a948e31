package cli

import (
	"context"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/scaffold"
)

func inferFile(ctx context.Context, path string) (scaffold.File, error) {
	return scaffold.File{}, fault.New(fault.Internal, "", "x")
}
