package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

// doneMsg says how something ended that was begun by a key.
type doneMsg struct {
	text  string
	err   error
	again bool // what is shown has changed by it
}

func (m *Model) copyText(text string) tea.Cmd {
	m.report("copied: %s", cut(clean(text), 60))
	return tea.SetClipboard(text)
}

func (m *Model) copyCell() tea.Cmd { return m.copyText(gridOf(m.body()).cell()) }

func (m *Model) copyRow() tea.Cmd {
	g := gridOf(m.body())
	var texts []string
	for _, s := range g.Row(g.row) {
		texts = append(texts, s.text)
	}
	return m.copyText(strings.Join(texts, "\t"))
}

func (m *Model) copyName() tea.Cmd { return m.copyText(m.tree.at.String()) }

// askExport asks for the file that the table is to be written to.
func (m *Model) askExport() tea.Cmd {
	return m.ask1(&prompt{label: " write to ", done: m.export}, "meshctl-"+strings.ReplaceAll(m.exportName(), ".", "-")+".csv")
}

func (m *Model) exportName() string {
	if top := m.top(); top != nil {
		return strings.ToLower(strings.Fields(top.title)[0])
	}
	return m.tree.at.String() + "-" + strings.ToLower(tabs()[m.pane.tab].name)
}

func formatOf(path string) (render.Format, error) {
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if ext == "parquet" {
		return "parquet", nil
	}
	f, err := render.ParseFormat(ext)
	if err != nil || f == render.Table || f == render.Wide {
		return "", fmt.Errorf("end the name with .csv, .json, .jsonl, .yaml, .md, .arrow or .parquet")
	}
	return f, nil
}

// export writes the table that has the keys to a new file.
func (m *Model) export(path string) tea.Cmd {
	g := gridOf(m.body())
	if g == nil || g.Len() == 0 {
		return m.complain("there is no table with rows here to be written")
	}
	if path = strings.TrimSpace(path); path == "" {
		return m.complain("write the name of a file")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(m.o.Dir, path)
	}
	f, err := formatOf(path)
	if err != nil {
		return m.complain("%s", err)
	}
	if _, err := os.Stat(path); err == nil {
		return m.complain("%s is there already; choose another name", path)
	}
	n := g.Len()
	write := m.writer(g)
	m.report("writing %s …", path)
	return m.ask(m.ctx, func(ctx context.Context) tea.Msg {
		if err := write(ctx, path, f); err != nil {
			return doneMsg{err: fmt.Errorf("write %s: %w", path, err)}
		}
		return doneMsg{text: fmt.Sprintf("%s written to %s", count(n, "row"), path)}
	})
}

// writer writes a table as it is now: an answer from what is kept of it, a sample by
// asking again, anything else as texts.
func (m *Model) writer(g *grid) func(context.Context, string, render.Format) error {
	if s, ok := g.table.(*store); ok {
		return func(ctx context.Context, path string, f render.Format) error {
			return m.writeRows(ctx, path, f, s.Rows())
		}
	}
	if e, p := m.target(); m.top() == nil && m.pane.tab == tabSample && g.filter.empty() && p != nil {
		request := serve.QueryRequest{SQL: "SELECT * FROM " + browse.SQLName(e, p), Limit: sampleRows}
		return func(ctx context.Context, path string, f render.Format) (err error) {
			a, err := m.src.Query(ctx, request)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, a.Close()) }()
			return m.writeRows(ctx, path, f, a)
		}
	}
	header, rows := g.Header(), g.table.(*listed).rows
	return func(_ context.Context, path string, f render.Format) error { return writeTexts(path, f, header, rows) }
}

func (m *Model) writeRows(ctx context.Context, path string, f render.Format, rows browse.Rows) (err error) {
	if f == "parquet" {
		return m.src.WriteParquet(ctx, path, rows)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := render.NewWriter(out, rows.Schema(), render.Options{Format: f})
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		err = w.Write(b)
		b.Release()
		if err != nil {
			return err
		}
	}
}

// named is a row of texts as a JSON object in the order of the columns.
type named struct {
	header []string
	row    []span
}

func (n named) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for i, h := range n.header {
		key, err := json.Marshal(h)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(textAt(n.row, i))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s%s:%s", map[bool]string{true: ","}[i > 0], key, value)
	}
	return []byte("{" + b.String() + "}"), nil
}

func writeTexts(path string, f render.Format, header []string, rows [][]span) (err error) {
	if f == "parquet" || f == render.Arrow {
		return fmt.Errorf("only answers and samples have columns of a type; choose .csv or .json")
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	objects := make([]named, len(rows))
	texts := make([][]string, len(rows))
	for i, row := range rows {
		objects[i] = named{header, row}
		for c := range header {
			texts[i] = append(texts[i], textAt(row, c))
		}
	}
	return render.Value(out, f, objects, func() ([]string, [][]string) { return header, texts })
}
