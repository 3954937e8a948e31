package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/kube"
)

type logsOpts struct {
	Product          string
	Follow, Previous bool
	Since            time.Duration
	Tail             int
	Timestamps       bool
	clusterFlags
}

const logsLong = `Write the log of a product's pods in a cluster, or of the hub's by the name hub. Where
there are several pods, each line begins with its pod's name.`

const logsExample = `  meshctl logs flights --tail 50
  meshctl logs flights -f
  meshctl logs flights --previous     # of the container before the last restart`

func newLogs(g *globals) *cobra.Command {
	var o logsOpts
	cmd := &cobra.Command{
		Use: "logs PRODUCT [flags]", Short: "Write the log of a product in a cluster",
		Long: logsLong, Example: logsExample, Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Product = args[0]
			return runLogs(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on as the log grows")
	f.BoolVar(&o.Previous, "previous", false, "of the container before the last restart")
	f.DurationVar(&o.Since, "since", 0, "what is younger than this, such as 10m")
	f.IntVar(&o.Tail, "tail", -1, "the last `lines`; -1 for all")
	f.BoolVar(&o.Timestamps, "timestamps", false, "begin each line with its time")
	o.clusterFlags.bind(cmd)
	return cmd
}

func runLogs(ctx context.Context, g *globals, o logsOpts) error {
	c, err := o.connect(g)
	if err != nil {
		return err
	}
	within, cancel := g.within(ctx, callLimit)
	defer cancel()
	pods, err := deploy.Pods(within, c, o.Product)
	if err != nil {
		return err
	}
	until := within
	if o.Follow && g.Timeout == 0 {
		until = ctx
	}
	w := &lines{to: g.Out}
	group, until := errgroup.WithContext(until)
	for _, pod := range pods {
		prefix := ""
		if len(pods) > 1 {
			prefix = pod + " "
		}
		group.Go(func() error {
			stream, err := c.Logs(until, pod, kube.LogOptions{
				Follow: o.Follow, Previous: o.Previous, Since: o.Since, Tail: o.Tail, Timestamps: o.Timestamps,
			})
			if err != nil {
				return err
			}
			defer stream.Close()
			return w.copy(prefix, stream)
		})
	}
	return group.Wait()
}

// lines writes whole lines of several sources to one writer.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lines) copy(prefix string, from io.Reader) error {
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			w.mu.Lock()
			_, failed := io.WriteString(w.to, prefix+line)
			w.mu.Unlock()
			if failed != nil {
				return failed
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
	}
}
