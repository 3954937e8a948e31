package shell

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"
)

// outside runs a program of the person's own on the terminal: a pager or an editor.
// ctrl+c is that program's then, though the terminal sends it to this process too.
func (m *model) outside(cmd *exec.Cmd, ended func(error) tea.Msg) tea.Cmd {
	cmd.Dir = m.o.Dir
	m.away.Store(true)
	return tea.ExecProcess(cmd, func(err error) tea.Msg {
		m.away.Store(false)
		return ended(err)
	})
}

// interruptible is a context that SIGINT ends, but for while a program runs outside.
// The first handler of the process would end it in that case too, so it is taken out.
func interruptible(ctx context.Context, away *atomic.Bool) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 1)
	signal.Reset(os.Interrupt)
	signal.Notify(signals, os.Interrupt)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-signals:
				if !away.Load() {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		<-done
	}
}
