package tui

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// overlay is something that takes the whole screen below the head until esc.
type overlay struct {
	title string
	body  body
	scope scope
	again func() // takes in what has become known since; nil for what stays as it is
}

func (m *Model) push(o *overlay) {
	if top := m.top(); top != nil && top.body == o.body {
		return
	}
	m.over = append(m.over, o)
}

// top is the overlay that is shown, nil for none.
func (m *Model) top() *overlay {
	if len(m.over) == 0 {
		return nil
	}
	return m.over[len(m.over)-1]
}

// chartBody is a chart as a body.
type chartBody struct{ *chart }

func (c chartBody) draw(_ *Model, w, h int, _ bool) []line { return c.lines(w, h) }
func (c chartBody) rows() int                              { return 1 }

type chartMsg struct {
	chart *chart
	err   error
}

// plot draws a chart of the column under the cursor.
func (m *Model) plot() tea.Cmd {
	g := gridOf(m.body())
	t, column := g.table, g.col
	return m.ask(m.ctx, func(ctx context.Context) tea.Msg {
		c, err := newChart(ctx, t, column, timeColumn(t))
		return chartMsg{c, err}
	})
}

// record shows the row under the cursor in full, a column a line.
func (m *Model) record() tea.Cmd {
	g := gridOf(m.body())
	header, row := g.Header(), g.Row(g.row)
	name := 0
	for _, h := range header {
		name = max(name, min(width(clean(h)), 30))
	}
	m.push(&overlay{title: fmt.Sprintf("Row %s of %s", number(g.row+1), number(g.Len())), scope: inText, body: &text{make: func(w int) []line {
		lines := []line{{}}
		for i, s := range row {
			r := s.role
			if r == dim && s.text != "NULL" {
				r = plain
			}
			for n, l := range fold(pretty(s.text), w-name-4) {
				label := ""
				if n == 0 && i < len(header) {
					label = header[i]
				}
				lines = append(lines, spans(in(dim, " "+left(label, name)+"  "), in(r, l)))
			}
		}
		return lines
	}}})
	return nil
}

// pretty is a JSON object or array with its parts on lines of their own, other text as it is.
func pretty(text string) string {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	var b strings.Builder
	var raw json.RawMessage
	if json.Unmarshal([]byte(text), &raw) != nil {
		return text
	}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(raw) != nil {
		return text
	}
	return b.String()
}

// showEvents lists what happened while the screens were open, and goes on with what does.
func (m *Model) showEvents() tea.Cmd {
	s := &sheet{grid: listGrid(m.listEvents()), empty: "Nothing has happened since this was opened: no product came, went or failed."}
	s.row = max(s.Len()-1, 0)
	m.push(&overlay{title: "Events", body: s, scope: inGrid, again: func() {
		last := s.row >= s.Len()-1
		header, rows := m.listEvents()
		s.show(&listed{header, rows})
		if last { // it follows
			s.row = max(s.Len()-1, 0)
		}
	}})
	return nil
}

func (m *Model) listEvents() (header []string, rows [][]span) {
	for _, e := range m.mesh.Events {
		rows = append(rows, []span{{e.At.Format("15:04:05"), dim}, {e.Rank.Sign() + " " + e.What, roleOf(e.Rank)}, {e.Text, plain}})
	}
	return []string{"time", "what", "happened"}, rows
}
