package shell

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/fault"
)

// editedMsg says that the person's editor has ended.
type editedMsg struct {
	path string
	temp bool
	err  error
}

// edit opens the last statement, or a file, in the person's editor. What is saved comes
// back to the prompt, where it can be read before it runs.
func (m *model) edit(arg string) tea.Cmd {
	path, temp := m.abs(arg), arg == ""
	if temp {
		f, err := os.CreateTemp("", "meshctl-*.sql")
		if err != nil {
			return m.fail(fmt.Errorf("edit the statement: %w", err), "")
		}
		path = f.Name()
		text := ""
		if m.last != "" {
			text = m.last + ";\n"
		}
		_, err = f.WriteString(text)
		if err = errors.Join(err, f.Close()); err != nil {
			return m.fail(fmt.Errorf("edit the statement: %w", err), "")
		}
	}
	program := cmp.Or(m.o.Env("VISUAL"), m.o.Env("EDITOR"), "vi")
	cmd := exec.CommandContext(m.ctx, "sh", "-c", program+` "$1"`, "edit", path)
	cmd.Env = m.o.Environ
	return m.outside(cmd, func(err error) tea.Msg { return editedMsg{path, temp, err} })
}

func (m *model) edited(msg editedMsg) tea.Cmd {
	text, err := os.ReadFile(msg.path)
	if msg.temp {
		err = errors.Join(err, os.Remove(msg.path))
	}
	switch {
	case msg.err != nil:
		return m.fail(fault.New(fault.Invalid, "set EDITOR to one that is there", "edit the statement: %w", msg.err), "")
	case err != nil:
		return m.fail(fmt.Errorf("read what was edited: %w", err), "")
	case len(text) > editorMost:
		return m.fail(fault.New(fault.Invalid, `run it with \i`, "%s is larger than 1 MB", msg.path), "")
	}
	m.editor.fill(strings.TrimRight(string(text), "\n"))
	return m.say()
}

// include does what a file says, statement by statement.
func (m *model) include(arg string) tea.Cmd {
	if arg == "" {
		return m.fail(fault.New(fault.Invalid, `such as \i report.sql`, "the file is missing"), "")
	}
	text, err := os.ReadFile(m.abs(arg))
	if err != nil {
		return m.fail(fault.New(fault.Invalid, "check the path", "read the statements: %w", err), "")
	}
	all, rest := jobs(string(text))
	if rest != "" {
		all = append(all, job{text: rest})
	}
	m.queue = append(all, m.queue...)
	return m.say()
}
