package tui

import (
	"context"
	"errors"
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/theme"
)

// Run shows the screens until the person leaves or ctx ends. What was begun has ended
// when it returns. A theme that does not exist is Invalid.
func Run(ctx context.Context, src browse.Source, o Options) error {
	if _, ok := theme.Named(o.Theme); !ok {
		return fault.New(fault.Invalid, fmt.Sprintf("choose one of %v", theme.Names()), "there is no theme %q", o.Theme)
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(inner, src, o)
	opts := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Environ), tea.WithoutSignalHandler(),
		tea.WithWindowSize(80, 24), // until the terminal tells its own: a size of 0×0 would draw nothing
	}
	if !o.Color {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	_, err := tea.NewProgram(m, opts...).Run()
	cancel()
	m.work.Wait()
	if dropping := m.sql.drop(); err == nil {
		err = dropping
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, tea.ErrInterrupted) {
		return fmt.Errorf("run the screens: %w", err)
	}
	return nil
}
