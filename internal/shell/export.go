package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/spool"
)

// parquet is the one format that render does not write.
const parquet render.Format = "parquet"

// formatOf is the format that a file's name ends with, else the one that was chosen.
func formatOf(path string, chosen render.Format) (render.Format, error) {
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	switch ext {
	case "parquet":
		return parquet, nil
	case "", "txt", "out", "log":
		if chosen != "" {
			return chosen, nil
		}
	}
	f, err := render.ParseFormat(ext)
	if err != nil || f == render.Table || f == render.Wide {
		return "", fault.New(fault.Invalid, "end it with .csv, .json, .ndjson, .yaml, .md, .arrow or .parquet", "the name %s does not say the format", path)
	}
	return f, nil
}

// export writes the last answer to a file, whole: what the limit cut is asked again.
func (m *model) export(path string) tea.Cmd {
	switch {
	case path == "":
		return m.fail(fault.New(fault.Invalid, `such as \export flights.csv`, "the file is missing"), "")
	case m.answer == nil:
		return m.fail(fault.New(fault.Invalid, "run a statement first", "there is no answer to write"), "")
	}
	full := m.abs(path)
	format, err := formatOf(full, "")
	if err != nil {
		return m.fail(err, "")
	}
	kept, again, sql := m.answer, m.ended.More, m.last
	r := m.o.Request
	r.SQL, r.Args, r.Limit = sql, Used(sql, r.Args), 0
	return m.begin("writing", func(ctx context.Context, gen int) tea.Msg {
		from := kept
		if again {
			var whole atomic.Pointer[spool.Spool]
			s, _, err := m.fetch(ctx, r, &whole)
			if s != nil {
				defer s.Close() // of a file that nobody sees any more
			}
			if err != nil {
				return toldMsg{gen: gen, err: err}
			}
			from = s
		}
		if err := m.write(ctx, full, format, from.Rows()); err != nil {
			return toldMsg{gen: gen, err: fmt.Errorf("write %s: %w", full, asked(ctx, err))}
		}
		return toldMsg{gen: gen, lines: m.look.lines(dim, count(from.Len(), "row")+" written to "+path, m.width)}
	})
}

func (m *model) write(ctx context.Context, path string, f render.Format, rows browse.Rows) (err error) {
	if f == parquet {
		mesh, err := m.link.reach(ctx)
		if err != nil {
			return err
		}
		return mesh.WriteParquet(ctx, path, rows)
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = write(ctx, out, rows, render.Options{Format: f})
	return err
}

func (m *model) abs(path string) string {
	if rest, home := strings.CutPrefix(path, "~/"); home {
		path = filepath.Join(m.o.Env("HOME"), rest)
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(m.o.Dir, path)
}

// copyMost is how much goes to the clipboard; many terminals take no more.
const copyMost = 100_000

// copyAnswer puts the last answer into the terminal's clipboard.
func (m *model) copyAnswer(arg string) tea.Cmd {
	if m.answer == nil {
		return m.fail(fault.New(fault.Invalid, "run a statement first", "there is no answer to copy"), "")
	}
	format := render.CSV
	if arg != "" {
		f, err := render.ParseFormat(arg)
		if err != nil {
			return m.fail(err, "")
		}
		format = f
	}
	var b bytes.Buffer
	if _, err := write(m.ctx, &limited{&b, copyMost}, m.answer.Rows(), render.Options{Format: format}); err != nil {
		return m.fail(fmt.Errorf("copy the answer: %w", err), "")
	}
	text := fmt.Sprintf("copied %s as %s", count(m.answer.Len(), "row"), format)
	if m.ended.More {
		text += "; the limit left out more"
	}
	return tea.Sequence(tea.SetClipboard(b.String()), m.say(m.look.lines(dim, text, m.width)...))
}

// limited refuses what is too much for a clipboard.
type limited struct {
	to   *bytes.Buffer
	most int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.to.Len()+len(p) > l.most {
		return 0, fault.New(fault.Invalid, `write it to a file with \export`, "it is larger than %d kB", l.most/1000)
	}
	return l.to.Write(p)
}
