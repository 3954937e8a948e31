package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/host"
)

// An import tells its rate and what time is left, in place on a terminal and never over
// its edge, elsewhere a line now and then.
func TestProgress(t *testing.T) {
	for _, tty := range []bool{true, false} {
		var errs bytes.Buffer
		now := time.Unix(0, 0)
		g := &globals{Host: &host.Host{Err: &errs, ErrTTY: tty, Width: func() int { return 75 }, Now: func() time.Time { return now }}}
		p := newProgress(g, "a-very-long-folder/with-a-very-long-name/flights-of-2001.parquet")
		p.of(1000)
		p.rows(0)
		now = now.Add(20 * time.Second)
		p.rows(250)
		p.done()
		got := errs.String()
		if !strings.Contains(got, "flights-of-2001.parquet: 250 of 1000 rows, 12 rows/s, 1m0s left") {
			t.Errorf("told %q", got)
		}
		if tty != strings.Contains(got, "\r\x1b[K") || tty == strings.HasSuffix(got, "left\n") {
			t.Errorf("terminal %v: %q", tty, got)
		}
		for line := range strings.SplitSeq(got, "\r\x1b[K") {
			if tty && len([]rune(line)) > 74 {
				t.Errorf("a line of %d columns: %q", len([]rune(line)), line)
			}
		}
	}
	var errs bytes.Buffer
	now := time.Unix(0, 0)
	quiet := newProgress(&globals{Quiet: true, Host: &host.Host{Err: &errs, Now: func() time.Time { return now }}}, "x")
	now = now.Add(time.Minute)
	if quiet.rows(5); errs.Len() > 0 {
		t.Errorf("-q tells %q", errs.String())
	}
}
