package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/fault"
)

// prompt is one line that is typed below the screen.
type prompt struct {
	label    string
	input    textinput.Model
	change   func(text string) error // as it is typed; the error is shown
	done     func(text string) tea.Cmd
	undo     func() // by esc
	complete func(text string) []string
	problem  string
}

func (m *Model) ask1(p *prompt, text string) tea.Cmd {
	p.input = textinput.New()
	p.input.Prompt = p.label
	st := p.input.Styles()
	for _, s := range []*textinput.StyleState{&st.Focused, &st.Blurred} {
		s.Prompt, s.Text = m.st.roles[accent], m.st.roles[plain]
	}
	p.input.SetStyles(st)
	p.input.SetValue(text)
	p.input.CursorEnd()
	m.prompt = p
	return p.input.Focus()
}

func (m *Model) promptKey(key tea.KeyPressMsg) tea.Cmd {
	p := m.prompt
	switch key.String() {
	case "esc", "ctrl+c":
		m.prompt = nil
		if p.undo != nil {
			p.undo()
		}
		return nil
	case "enter":
		m.prompt = nil
		return p.done(p.input.Value())
	case "tab":
		return m.completePrompt()
	}
	return m.promptMsg(key)
}

// promptMsg gives the prompt what it needs, such as keys and what is pasted.
func (m *Model) promptMsg(msg tea.Msg) tea.Cmd {
	p := m.prompt
	before := p.input.Value()
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	if text := p.input.Value(); text != before {
		p.problem = ""
		if p.change != nil {
			if err := p.change(text); err != nil {
				p.problem = err.Error()
			}
			return tea.Batch(cmd, m.cursorMoved())
		}
	}
	return cmd
}

// completePrompt goes as far as what is typed can only mean, and shows the choices.
func (m *Model) completePrompt() tea.Cmd {
	p := m.prompt
	if p.complete == nil {
		p.problem = "there is nothing to complete here"
		return nil
	}
	text := p.input.Value()
	var fit []string
	for _, c := range p.complete(text) {
		if strings.HasPrefix(c, text) {
			fit = append(fit, c)
		}
	}
	switch len(fit) {
	case 0:
		p.problem = "nothing begins like this"
		return nil
	case 1:
		p.problem = ""
		p.input.SetValue(fit[0])
	default:
		common := fit[0]
		for _, f := range fit {
			for !strings.HasPrefix(f, common) {
				common = common[:len(common)-1]
			}
		}
		p.input.SetValue(common)
		p.problem = strings.Join(fit, "  ")
	}
	p.input.CursorEnd()
	return nil
}

// confirm asks before something is done.
func (m *Model) confirm(question string, yes func() tea.Cmd) tea.Cmd {
	return m.ask1(&prompt{label: " " + question + " y/n ", done: func(text string) tea.Cmd {
		if strings.ToLower(strings.TrimSpace(text)) != "y" {
			return m.complain("nothing was done")
		}
		return yes()
	}}, "")
}

// askFilter filters the tree, or the table that has the keys.
func (m *Model) askFilter() tea.Cmd {
	g := gridOf(m.body())
	if m.scope()&inTree != 0 {
		g = nil
	}
	set := func(text string) error {
		f, err := parseFilter(text)
		if err != nil {
			return err
		}
		if g != nil {
			g.filter = f
			g.show(g.source)
			return nil
		}
		m.tree.filter = f
		m.tree.build(m.mesh)
		m.tree.toProduct()
		return nil
	}
	before := m.tree.filter.text
	if g != nil {
		before = g.filter.text
	}
	return m.ask1(&prompt{
		label: " / ", change: set,
		undo: func() { _ = set("") },
		done: func(text string) tea.Cmd {
			if err := set(text); err != nil {
				return m.complain("%s", err)
			}
			return m.cursorMoved()
		},
	}, before)
}

// complain tells the person something below the screen, until the next key.
func (m *Model) complain(format string, args ...any) tea.Cmd {
	m.notice = notice{fmt.Sprintf(format, args...), warning}
	return nil
}

// refuse tells an error with its hint.
func (m *Model) refuse(err error) tea.Cmd {
	if hint := fault.HintOf(err); hint != "" {
		return m.complain("%s; %s", err, hint)
	}
	return m.complain("%s", err)
}

func (m *Model) report(format string, args ...any) tea.Cmd {
	m.notice = notice{fmt.Sprintf(format, args...), good}
	return nil
}

// notice is what the screen tells once.
type notice struct {
	text string
	role role
}
