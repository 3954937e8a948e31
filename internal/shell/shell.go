// Package shell is the SQL shell on a terminal: an editor of several lines at a prompt,
// whose answers stay on the terminal above it, as in other shells of databases. What it
// asks comes from a Mesh.
//
// The prompt waits for nothing: the mesh is connected beside it, and what is known of the
// catalog for completion is kept up to date beside it too. One program runs from the
// first prompt to the last, so that what is typed while a statement runs is not lost.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

// Mesh is what the shell asks.
type Mesh interface {
	browse.Mesh
	// WriteParquet writes rows to a Parquet file, which is there whole or not at all.
	WriteParquet(ctx context.Context, path string, rows browse.Rows) error
	Close() error
}

// Options say how the shell is to be.
type Options struct {
	Connect func(context.Context) (Mesh, error)
	Request serve.QueryRequest // what each statement is sent with; its SQL is the statement
	Format  render.Format      // of answers on the terminal
	Out     string             // a file that answers go to, "" for the terminal
	History string             // file of what was typed before, "" for none
	Version string             // of meshctl
	Color   bool
	Dir     string // where files are
	Now     func() time.Time
	Env     func(string) string
	Environ []string

	In     io.Reader // a terminal
	Screen io.Writer
}

// LimitRows is how many rows of an answer the shell shows unless told otherwise.
const LimitRows = 10_000

// Run is the shell until the person leaves or ctx ends. What was begun has ended when it
// returns.
func Run(ctx context.Context, o Options) error {
	var away atomic.Bool
	ctx, end := interruptible(ctx, &away)
	defer end()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(inner, o)
	m.away = &away
	if o.Out != "" {
		if err := m.out.open(o.Out, m.format, false); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(o.Screen, strings.Join(m.hello(), "\n")); err != nil {
		return err
	}
	opts := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Screen), tea.WithEnvironment(o.Environ), tea.WithoutSignalHandler(),
	}
	if !o.Color {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	_, err := tea.NewProgram(m, opts...).Run()
	cancel()
	m.work.Wait()
	err = errors.Join(err, m.forget(), m.out.close(), m.link.close())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("run the shell: %w", err)
	}
	return nil
}
