package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/host"
)

// globals is what every command is given: the process, and the flags that all
// commands share. The flags hold their values once a command's run function begins.
type globals struct {
	*host.Host
	Context string        // a context of the nats command line; empty for its selected one
	Server  string        // NATS URL of a hub or leaf; empty to find it
	Creds   string        // a credentials file; empty for those of the context, or of this machine's mesh
	TLSCA   string        // file of the authorities that vouch for the hub; empty for the system's
	Timeout time.Duration // 0 for the command's own
	NoColor bool
	Quiet   bool
	Verbose bool
}

func (g *globals) bind(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&g.Context, "context", "", "connect as this `context` of the nats command says")
	f.StringVar(&g.Server, "server", "", "connect to this NATS `URL`")
	f.StringVar(&g.Creds, "creds", "", "use the credentials in this `file`")
	f.StringVar(&g.TLSCA, "tls-ca", "", "trust the hub's certificate if an authority in this `file` signed it")
	f.DurationVar(&g.Timeout, "timeout", 0, "give up after this long, such as 30s")
	f.BoolVar(&g.NoColor, "no-color", false, "write no colour, as the variable NO_COLOR does")
	f.BoolVarP(&g.Quiet, "quiet", "q", false, "write errors only to stderr")
	f.BoolVarP(&g.Verbose, "verbose", "v", false, "tell more on stderr")
}

// apply folds the flags into the process, so that nothing below needs to know them.
func (g *globals) apply() {
	if !g.NoColor {
		return
	}
	env := g.Env
	g.Env = func(name string) string {
		if name == "NO_COLOR" {
			return "1"
		}
		return env(name)
	}
}

// note tells the person at the terminal something that is not data.
func (g *globals) note(format string, args ...any) {
	if !g.Quiet {
		fmt.Fprintf(g.Err, format+"\n", args...)
	}
}

// within is ctx with --timeout, or else with the command's own limit; 0 is none.
func (g *globals) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if g.Timeout > 0 {
		limit = g.Timeout
	}
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
