package shell

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/fault"
)

// watch runs a statement again and again until the person has seen enough.
type watch struct {
	gen   int
	sql   string
	every time.Duration
	lines []string // the last answer
	at    time.Time
	ended bool
}

type watchMsg struct{ gen int }

const (
	watchEvery = 2 * time.Second
	watchLeast = 100 * time.Millisecond
)

func (m *model) startWatch(arg string) tea.Cmd {
	every := watchEvery
	if arg != "" {
		seconds, err := strconv.ParseFloat(strings.TrimSuffix(arg, "s"), 64)
		every = time.Duration(seconds * float64(time.Second))
		if err != nil || every < watchLeast {
			return m.fail(fault.New(fault.Invalid, `such as \watch 5`, "%q is no number of seconds from 0.1", arg), "")
		}
	}
	if m.last == "" {
		return m.fail(fault.New(fault.Invalid, "run a statement first", "there is no statement to watch"), "")
	}
	m.gen++
	m.watch = &watch{gen: m.gen, sql: m.last, every: every}
	return m.query(m.last)
}

// watched takes an answer to what is watched.
func (m *model) watched(msg ranMsg) tea.Cmd {
	w := m.watch
	switch {
	case w.ended, errors.Is(msg.err, tea.ErrInterrupted):
		m.watch = nil
		return m.say(w.lines...)
	case msg.err != nil:
		return m.fail(msg.err, msg.sql)
	}
	text, truncated, err := m.drawn(m.width)
	if err != nil {
		return m.fail(err, "")
	}
	w.at = m.o.Now()
	w.lines = append(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), m.notes(truncated)...)
	gen := w.gen
	return tea.Tick(w.every, func(time.Time) tea.Msg { return watchMsg{gen} })
}

// again asks once more.
func (m *model) again(msg watchMsg) tea.Cmd {
	if m.watch == nil || m.watch.gen != msg.gen || m.running != nil {
		return nil
	}
	return m.query(m.watch.sql)
}

// endWatch leaves the last answer above the prompt.
func (m *model) endWatch() tea.Cmd {
	w := m.watch
	if m.running != nil { // its end is waited for
		w.ended = true
		m.running.cancel()
		return nil
	}
	m.watch = nil
	return m.say(w.lines...)
}

// watchLines are the last answer as far as it fits the screen.
func (m *model) watchLines() []string {
	w := m.watch
	lines := w.lines
	if room := max(m.height-3, 1); len(lines) > room {
		left := len(lines) - room
		lines = append(lines[:room:room], m.look.in(dim, fmt.Sprintf("… %s more", count(left, "line"))))
	}
	state := fmt.Sprintf("every %s, last at %s · ctrl+c leaves", w.every, w.at.UTC().Format("15:04:05Z"))
	if w.at.IsZero() {
		state = fmt.Sprintf("every %s · ctrl+c leaves", w.every)
	}
	return append(lines[:len(lines):len(lines)], m.look.in(accent, cut("⟳ ", 2))+m.look.in(dim, cut(state, m.width-2)))
}
