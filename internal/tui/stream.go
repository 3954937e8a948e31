package tui

import (
	"context"
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

const (
	streamLast = 100  // records of the past to begin with
	streamMost = 1000 // that are held
)

// streamMsg are records that came, or the end of the stream.
type streamMsg struct {
	gen     int
	records []serve.Record
	ended   bool
	err     error
}

// loadStream follows the port's log.
func (m *Model) loadStream() tea.Cmd {
	_, p := m.target()
	gen, address := m.pane.gen, p.Address
	m.pane.stream = startFeed(m, func(ctx context.Context, emit func(serve.Record) error) error {
		return m.src.Follow(ctx, address, streamLast, emit)
	}, func(records []serve.Record, ended bool, err error) tea.Msg {
		return streamMsg{gen, records, ended, err}
	})
	s := &sheet{grid: listGrid([]string{"seq", "time", "key", "value"}, nil, 0), empty: "Nothing has come yet; what comes is shown here."}
	s.grid.follow = true
	s.below = func(int) []line { return []line{m.streamState()} }
	m.pane.body, m.pane.busy = s, false
	return m.pane.stream.next()
}

func (m *Model) gotStream(msg streamMsg) tea.Cmd {
	p := &m.pane
	if msg.gen != p.gen {
		return nil
	}
	if msg.ended {
		p.err = msg.err
		return nil
	}
	p.records = append(p.records, msg.records...)
	if over := len(p.records) - streamMost; over > 0 {
		p.records = slices.Delete(p.records, 0, over)
		if g := gridOf(p.body); g != nil && !g.follow && !p.paused {
			g.row = max(0, g.row-over)
		}
	}
	if p.paused {
		p.missed += len(msg.records)
	} else {
		m.showRecords()
	}
	return p.stream.next()
}

func (m *Model) showRecords() {
	g := gridOf(m.pane.body)
	rows := make([][]span, len(m.pane.records))
	for i, r := range m.pane.records {
		value := span{string(r.Value), plain}
		if r.Deleted {
			value = span{"deleted", warning}
		}
		rows[i] = []span{{fmt.Sprint(r.Seq), dim}, {r.Time.UTC().Format("15:04:05.000"), dim}, {r.Key, accent}, value}
	}
	g.show(&listed{g.Header(), rows})
}

func (m *Model) streamState() line {
	p := &m.pane
	switch g := gridOf(p.body); {
	case p.paused:
		return spans(in(warning, fmt.Sprintf(" ▮▮ paused, %s came since", count(p.missed, "record"))), in(dim, "; p goes on"))
	case g != nil && !g.follow && g.Len() > 0:
		return spans(in(dim, " the cursor holds its place; G follows the end again"))
	}
	return spans(in(good, " ● live"), in(dim, "; p pauses"))
}

// pause stops the screen, not the stream.
func (m *Model) pause() tea.Cmd {
	p := &m.pane
	if p.paused = !p.paused; !p.paused {
		p.missed = 0
		m.showRecords()
	}
	return nil
}

// loadDead asks for the port's dead letters.
func (m *Model) loadDead() tea.Cmd {
	_, p := m.target()
	gen, address := m.pane.gen, p.Address
	return m.ask(m.paneContext(), func(ctx context.Context) tea.Msg {
		letters, err := m.src.DeadLetters(ctx, address)
		if err != nil {
			return paneMsg{gen: gen, err: fmt.Errorf("dead letters: %w", err)}
		}
		var rows [][]span
		for _, l := range letters {
			rows = append(rows, []span{{fmt.Sprint(l.Seq), plain}, {l.Time.UTC().Format("01-02 15:04:05"), dim}, {l.Reason, warning}, {l.Origin, dim}, {l.Value, plain}})
		}
		return paneMsg{gen: gen, body: func() body {
			return &sheet{grid: listGrid([]string{"letter", "time", "reason", "origin", "value"}, rows, 0), empty: "● No dead letter waits."}
		}}
	})
}

// replay publishes the letter under the cursor again.
func (m *Model) replay() tea.Cmd {
	_, p := m.target()
	g := gridOf(m.pane.body)
	var seq record.Seq
	if _, err := fmt.Sscan(textAt(g.Row(g.row), 0), &seq); err != nil {
		return m.complain("there is no letter under the cursor")
	}
	address := p.Address
	return m.confirm(fmt.Sprintf("publish letter %d of %s again?", seq, address), func() tea.Cmd {
		return m.ask(m.ctx, func(ctx context.Context) tea.Msg {
			ctx, cancel := context.WithTimeout(ctx, callLimit)
			defer cancel()
			if err := m.src.Replay(ctx, address, seq); err != nil {
				return doneMsg{err: fmt.Errorf("replay letter %d of %s: %w", seq, address, err)}
			}
			return doneMsg{text: fmt.Sprintf("letter %d of %s was published again", seq, address), again: true}
		})
	})
}
