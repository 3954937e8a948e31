package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/host"
)

// A terminal gets colour unless it is not wanted, and nothing else than a pipe gets.
func TestColourOnATerminal(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9]*m")
	wide := ""
	for _, c := range []struct {
		tty    bool
		env    map[string]string
		args   []string
		colour bool
	}{
		{false, nil, nil, false},
		{true, nil, nil, true},
		{true, map[string]string{"NO_COLOR": "1"}, nil, false},
		{true, map[string]string{"TERM": "dumb"}, nil, false},
		{true, nil, []string{"--no-color"}, false},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), &host.Host{
			Args: append([]string{"init", "--list"}, c.args...), Env: func(name string) string { return c.env[name] },
			Out: &out, Err: &errs, OutTTY: c.tty, Width: func() int { return 200 }, Now: time.Now, In: strings.NewReader(""),
		})
		if code != 0 || strings.Contains(out.String(), "\x1b") != c.colour {
			t.Errorf("%+v: exit code %d, %q %s", c, code, out.String(), errs.String())
		}
		plain := sgr.ReplaceAllString(out.String(), "")
		if wide == "" {
			wide = plain
		}
		if plain != wide {
			t.Errorf("%+v: %s\nwant %s", c, plain, wide)
		}
	}
}
