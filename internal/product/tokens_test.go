package product

import (
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// A record's subject is made without its texts; both ways must agree.
func TestAppendKeyTokens(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 9, 26, 535_000_000, time.UTC)
	for _, parts := range [][]any{
		{"DL1047", at}, {""}, {"", ""}, {"a\x00b", int64(-7)}, {"a\x00"}, {"\x00\xff", "x"}, {true, false, record.Date(-1)}, {"Zoë.*>", int64(1)},
		{strings.Repeat("k", maxKeyTokens)}, {strings.Repeat("k", maxKeyTokens+1)}, {strings.Repeat("é", 200), int64(1)},
	} {
		key := record.NewKey(parts...)
		texts, err := key.Texts()
		if err != nil {
			t.Fatal(err)
		}
		got, err := AppendKeyTokens([]byte("s."), key)
		if want := "s." + KeyTokens(texts); err != nil || string(got) != want {
			t.Errorf("%v: %s, %v; want %s", parts, got, err, want)
		}
	}
	for _, broken := range []record.Key{{0x15, 1}, {0x20, 'a'}, {0x99}, {0x20, 'a', 0, 0xff}} {
		if _, err := AppendKeyTokens(nil, broken); err == nil {
			t.Errorf("%x makes tokens", []byte(broken))
		}
	}
}
