package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"
)

// ask is a call to the mesh beside the screen; what it returns comes as a message.
func (m *Model) ask(ctx context.Context, call func(ctx context.Context) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		if !m.work.Begin() {
			return nil
		}
		defer m.work.Done()
		return call(ctx)
	}
}
