package tui

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/spool"
)

// sqlScreen is the editor with the answer below it.
type sqlScreen struct {
	editor  textarea.Model
	editing bool // the editor has the keys, not the answer
	offered bool // the editor holds a statement that nobody has touched: what is typed replaces it
	result  *grid
	store   *store

	gen     int
	cancel  context.CancelFunc // of the statement that runs, nil for none
	began   time.Time
	ran     string // the statement of the answer
	answer  serve.QueryAnswer
	err     error
	done    bool
	history []string
	back    int // how many statements back in the history the editor is
}

// editorRows is the height of the editor.
const editorRows = 6

func newSQLScreen(st *styles) *sqlScreen {
	e := textarea.New()
	e.Prompt = " "
	e.ShowLineNumbers = false
	e.Placeholder = "SELECT … FROM product.port"
	e.CharLimit = 1 << 20
	e.MaxHeight = 1000
	s := &sqlScreen{editor: e, editing: true}
	s.paint(st)
	return s
}

func (s *sqlScreen) paint(st *styles) {
	styles := s.editor.Styles()
	for _, part := range []*textarea.StyleState{&styles.Focused, &styles.Blurred} {
		part.Base, part.Text = st.roles[plain], st.roles[plain]
		part.CursorLine, part.Prompt = st.roles[plain], st.roles[accent]
		part.Placeholder, part.EndOfBuffer = st.roles[dim], st.roles[dim]
	}
	s.editor.SetStyles(styles)
}

// openSQL shows the editor; without a statement it is about what the cursor is on.
func (m *Model) openSQL(statement string) tea.Cmd {
	s := m.sql
	s.offered = s.offered && statement == ""
	if statement == "" && (s.offered || strings.TrimSpace(s.editor.Value()) == "") {
		if e, p := m.target(); p != nil {
			statement = "SELECT * FROM " + browse.SQLName(e, p) + " LIMIT 1000;"
			s.offered = true
		}
	}
	if statement != "" {
		s.editor.SetValue(statement)
		s.editor.MoveToEnd()
	}
	s.editing = true
	m.push(&overlay{title: "SQL", body: s, scope: inSQL})
	return s.editor.Focus()
}

// touch comes before what the editor is given.
func (s *sqlScreen) touch(typed bool) {
	if s.offered && typed {
		s.editor.Reset()
	}
	s.offered = false
}

func (s *sqlScreen) draw(m *Model, w, h int, _ bool) []line {
	s.editor.SetWidth(w - 1)
	s.editor.SetHeight(editorRows)
	var lines []line
	for text := range strings.SplitSeq(s.editor.View(), "\n") {
		lines = append(lines, line{raw: text})
	}
	lines = append(lines, s.state(m, w))
	room := h - len(lines)
	switch {
	case s.err != nil:
		lines = append(lines, line{})
		for _, l := range fold("✖ "+s.err.Error(), w-2) {
			lines = append(lines, spans(in(bad, " "+l)))
		}
		if hint := fault.HintOf(s.err); hint != "" {
			lines = append(lines, spans(in(plain, " hint: "+hint)))
		}
	case s.result != nil && s.result.Len() > 0:
		lines = append(lines, s.result.draw(w, min(room, s.result.Len()+1), !s.editing)...)
	case s.done:
		lines = append(lines, spans(in(dim, " The answer has no rows.")))
	case s.ran == "":
		lines = append(lines, line{}, spans(in(dim, " A statement that ends with ; runs on enter; ctrl+r runs it anywhere.")),
			spans(in(dim, " Tables are named product.port. tab goes to the answer and back.")))
		if s.offered {
			lines = append(lines, spans(in(dim, " What you type replaces the statement; an arrow key goes into it.")))
		}
	}
	return lines
}

// state is the line between editor and answer.
func (s *sqlScreen) state(m *Model, w int) line {
	rows := 0
	if s.store != nil {
		rows = s.store.Len()
	}
	text, r := "", dim
	switch {
	case s.cancel != nil:
		text, r = fmt.Sprintf("… %s so far, %.1f s; esc stops it", count(rows, "row"), m.now().Sub(s.began).Seconds()), accent
	case s.err != nil:
		text, r = "✖ refused", bad
		if rows > 0 {
			text = fmt.Sprintf("✖ stopped after %s", count(rows, "row"))
		}
	case s.done:
		text = fmt.Sprintf("%s in %.0f ms", count(rows, "row"), s.answer.Millis)
		for _, table := range slices.Sorted(maps.Keys(s.answer.Watermarks)) {
			if at := s.answer.Watermarks[table]; at.Seq > 0 {
				text += fmt.Sprintf(", %s as of record %s, %s", table, number(int(at.Seq)), at.Time.UTC().Format("15:04:05"))
			}
		}
		r = good
	}
	l := spans(in(dim, "── "), in(r, cut(text, w-8)), in(dim, " "))
	used := 4 + width(cut(text, w-8))
	if text == "" {
		l, used = spans(), 0
	}
	l.spans = append(l.spans, in(dim, strings.Repeat("─", max(0, w-used))))
	return l
}

func (s *sqlScreen) move(by int) bool {
	return !s.editing && s.result != nil && s.result.move(by)
}
func (s *sqlScreen) shift(by int) bool {
	return !s.editing && s.result != nil && s.result.shift(by)
}

func (s *sqlScreen) rows() int {
	if s.result == nil {
		return 0
	}
	return s.result.height
}

// rowsMsg says that rows have come, or that the statement has ended.
type rowsMsg struct {
	gen    int
	ended  bool
	answer serve.QueryAnswer
	err    error
}

// run runs the editor's statement.
func (m *Model) run() tea.Cmd {
	sql := strings.TrimSpace(m.sql.editor.Value())
	sql = strings.TrimSpace(strings.TrimRight(sql, "; \n\t"))
	if sql == "" {
		return m.complain("there is no statement to run")
	}
	s := m.sql
	s.touch(false)
	if len(s.history) == 0 || s.history[len(s.history)-1] != sql {
		s.history = append(s.history, sql)
	}
	s.back = 0
	return m.query(sql)
}

// query runs a statement into the answer below the editor.
func (m *Model) query(sql string) tea.Cmd {
	s := m.sql
	m.stopQuery()
	s.gen++
	ctx, cancel := context.WithCancel(m.ctx)
	s.cancel, s.began, s.ran, s.err, s.done, s.answer = cancel, m.now(), sql, nil, false, serve.QueryAnswer{}
	if err := s.drop(); err != nil {
		m.complain("%s", err)
	}
	gen := s.gen
	return m.ask(ctx, func(ctx context.Context) tea.Msg {
		a, err := m.src.Query(ctx, serve.QueryRequest{SQL: sql})
		if err != nil {
			return rowsMsg{gen: gen, ended: true, err: err}
		}
		kept, err := newStore(a.Schema())
		if err != nil {
			return rowsMsg{gen: gen, ended: true, err: errors.Join(err, a.Close())}
		}
		return answerMsg{gen: gen, answer: a, store: kept, ctx: ctx}
	})
}

// answerMsg says that a statement is answered; its rows are still to come.
type answerMsg struct {
	gen    int
	ctx    context.Context
	answer browse.Answer
	store  *store
}

// drop forgets the answer that is shown.
func (s *sqlScreen) drop() error {
	old := s.store
	s.store, s.result = nil, nil
	if old != nil {
		return old.Close()
	}
	return nil
}

func (m *Model) gotAnswer(msg answerMsg) tea.Cmd {
	s := m.sql
	if msg.gen != s.gen { // another statement runs by now
		return m.ask(m.ctx, func(context.Context) tea.Msg {
			return doneMsg{err: errors.Join(msg.answer.Close(), msg.store.Close())}
		})
	}
	s.store = msg.store
	header, numbers := headOf(msg.answer.Schema())
	s.result = &grid{table: s.store, numbers: make([]bool, len(header))}
	for _, c := range numbers {
		s.result.numbers[c] = true
	}
	return m.ask(msg.ctx, func(ctx context.Context) tea.Msg {
		a, err := spool.Fill(ctx, msg.answer, msg.store.Spool)
		return rowsMsg{gen: msg.gen, ended: true, answer: a, err: err}
	})
}

func (m *Model) gotRows(msg rowsMsg) {
	s := m.sql
	if msg.gen != s.gen {
		return
	}
	s.cancel = nil
	s.err, s.answer, s.done = msg.err, msg.answer, msg.err == nil
	if errors.Is(msg.err, context.Canceled) {
		s.err, s.done = nil, true
		s.answer.Millis = float64(m.now().Sub(s.began).Milliseconds())
		m.complain("the statement was stopped; the rows so far stay")
	}
}

// stopQuery stops the statement that runs, and says whether one did.
func (m *Model) stopQuery() bool {
	s := m.sql
	if s.cancel == nil {
		return false
	}
	s.cancel()
	s.cancel = nil
	return true
}

// recall puts an earlier statement into the editor.
func (m *Model) recall(by int) tea.Cmd {
	s := m.sql
	s.touch(false)
	to := s.back + by
	if to < 0 || to > len(s.history) || len(s.history) == 0 {
		return m.complain("there is no %s statement", map[bool]string{true: "earlier", false: "later"}[by > 0])
	}
	s.back = to
	text := ""
	if to > 0 {
		text = s.history[len(s.history)-to] + ";"
	}
	s.editor.SetValue(text)
	s.editor.MoveToEnd()
	return nil
}

// reorder asks for the answer again, ordered by a column.
func (m *Model) reorder() tea.Cmd {
	s := m.sql
	g := s.result
	g.turn()
	base, sorted, col := baseOf(s.ran), g.sorted, g.col
	sql := base
	if sorted != 0 {
		sql = fmt.Sprintf("SELECT * FROM (\n%s\n) ORDER BY %d", base, abs(sorted))
		if sorted < 0 {
			sql += " DESC"
		}
	}
	cmd := m.query(sql)
	m.afterAnswer = func(g *grid) { g.sorted, g.col = sorted, col }
	return cmd
}

// baseOf is a statement without the order that reorder put around it.
func baseOf(sql string) string {
	if inner, ok := strings.CutPrefix(sql, "SELECT * FROM (\n"); ok {
		if at := strings.LastIndex(inner, "\n) ORDER BY "); at >= 0 {
			return inner[:at]
		}
	}
	return sql
}
