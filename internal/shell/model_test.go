package shell

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestStatementOfSeveralLines(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.enter("SELECT flight, city\nFROM flights\nWHERE city <> ';' -- not the end;\n;")
	s.until("3 rows in 12 ms · flights.flights as of record 250,000, 2026-03-04 12:00:00Z")
	if r := f.requests(); len(r) != 1 || r[0].SQL != "SELECT flight, city\nFROM flights\nWHERE city <> ';' -- not the end;" || r[0].Limit != LimitRows {
		t.Errorf("asked %+v", r)
	}
	s.golden("statement")
	if f.open != 0 {
		t.Errorf("%d answers are open", f.open)
	}
}

func TestPasteOfManyStatements(t *testing.T) {
	f := newFake()
	f.fails["-- one more\nSELECT b"] = fault.New(fault.Rejected, `use one of "flight"`, `query: binder error: Referenced column "b" not found`)
	s := open(t, f, 80, 24)
	s.send(tea.PasteMsg{Content: "SELECT a;\n\\x\n\n-- one more\nSELECT b;SELECT c;\nSELECT d;"})
	s.press("enter")
	s.ready()
	s.golden("paste")
	if r := f.requests(); len(r) != 2 || r[1].SQL != "-- one more\nSELECT b" {
		t.Errorf("asked %+v", r)
	}
}

// What is typed while a statement runs comes after it, in its order.
func TestKeysWait(t *testing.T) {
	f := newFake()
	f.hold = make(chan struct{})
	s := open(t, f, 80, 24)
	s.typing("SELECT 1;\nSELECT 2;\nSELECT")
	s.until("ctrl+c stops it")
	if got := s.m.editor.Value(); got != "" {
		t.Errorf("the editor has %q", got)
	}
	close(f.hold)
	s.untilThat("what was typed", func() bool { return !s.m.busy && s.m.editor.Value() == "SELECT" })
	if r := f.requests(); len(r) != 2 || r[1].SQL != "SELECT 2" {
		t.Errorf("asked %+v", r)
	}
}

func TestInterrupt(t *testing.T) {
	f := newFake()
	f.hold = make(chan struct{})
	s := open(t, f, 80, 24)
	s.typing("SELECT 1; SELECT 2;\n")
	s.until("ctrl+c stops it")
	s.untilThat("the question", func() bool { return len(f.requests()) == 1 })
	s.press("ctrl+c")
	s.ready()
	s.shows("stopped", true)
	if f.stopped != 1 || len(f.requests()) != 1 {
		t.Errorf("%d stopped of %d", f.stopped, len(f.requests()))
	}
	s.typing("SELECT nothing")
	s.press("ctrl+c")
	s.until("SELECT nothing^C")
	if s.m.editor.Value() != "" || s.quit {
		t.Errorf("after ctrl+c: %q, quit %v", s.m.editor.Value(), s.quit)
	}
	s.typing("x")
	s.press("ctrl+d") // something is typed: it does not leave
	if s.m.quit {
		t.Error("ctrl+d left with something typed")
	}
	s.press("backspace", "ctrl+d")
	s.untilThat("its end", func() bool { return s.quit })
}

func TestErrorsPointAtThePlace(t *testing.T) {
	f := newFake()
	f.fails["SELECT flight,\n  dat\nFROM flights"] = fault.New(fault.Rejected, `use one of "date"`, `query product flights: query: binder error: Referenced column "dat" not found in FROM clause! (line 2)`)
	f.fails["SELEC 1"] = fault.New(fault.Rejected, "", `read the statement: syntax error at or near "SELEC"`)
	s := open(t, f, 80, 24)
	s.enter("SELECT flight,\n  dat\nFROM flights;")
	s.enter("SELEC 1;")
	s.golden("errors")
}

func TestCompletion(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("tab")
	s.known()
	s.typing("select * from fl")
	s.press("tab")
	s.golden("complete")
	s.press("tab", "tab")
	if got := s.m.editor.Value(); got != "select * from flights.flights" {
		t.Errorf("chosen: %q", got)
	}
	s.typing(" where or")
	s.press("tab")
	s.shows("origin", true)
	s.typing("i")
	s.press("tab")
	if got := s.m.editor.Value(); got != "select * from flights.flights where origin" {
		t.Errorf("completed: %q", got)
	}
	s.typing(" = zzz")
	s.press("tab")
	s.shows("nothing that is known begins like this", true)
	s.press("ctrl+c")
	s.typing(`\fo`)
	s.press("tab")
	s.typing(" ma")
	s.press("tab")
	if got := s.m.editor.Value(); got != `\format markdown` {
		t.Errorf("completed: %q", got)
	}
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	remember := func(o *Options) { o.History = path }
	s := open(t, newFake(), 80, 24, remember)
	s.enter("SELECT 'first\n  line';")
	s.enter("SELECT 2;")
	s.enter("SELECT 'first\n  line';")
	s.typing("SELECT half")
	s.press("up")
	if got := s.m.editor.Value(); got != "SELECT 'first\n  line';" {
		t.Errorf("up: %q", got)
	}
	s.press("up", "up")
	s.shows("there is no earlier statement", true)
	if got := s.m.editor.Value(); got != "SELECT 2;" {
		t.Errorf("the oldest: %q", got)
	}
	s.press("down", "down", "down")
	if got := s.m.editor.Value(); got != "SELECT half" {
		t.Errorf("down to what was typed: %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}

	next := open(t, newFake(), 80, 24, remember) // another shell, later
	if got := next.m.history.all; len(got) != 2 || got[0] != "SELECT 2;" || got[1] != "SELECT 'first\n  line';" {
		t.Errorf("remembered %q", got)
	}
	next.press("ctrl+r")
	next.typing("sel")
	next.press("ctrl+r")
	next.golden("search")
	next.press("enter")
	next.ready()
	next.shows("mesh> SELECT 2;", true)
	next.press("ctrl+r")
	next.typing("nowhere")
	next.shows("nothing has: nowhere", true)
	next.press("ctrl+c")
	if next.m.search != nil || next.m.editor.Value() != "" {
		t.Error("ctrl+c did not leave the search")
	}
}

func TestHistoryIsShortened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte(strings.Repeat("\"SELECT 1;\"\n", 3000)+"\"cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := openHistory(path)
	if err != nil || len(h.all) != 1 {
		t.Fatalf("%q, %v", h.all, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "\"SELECT 1;\"\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

func TestPager(t *testing.T) {
	f := newFake()
	f.rows = 20_000
	s := open(t, f, 80, 24)
	s.typing("SELECT * FROM flights;\n")
	s.until("rows 1 to 22 of 10,000")
	s.golden("pager")
	s.press("G")
	s.shows("rows 9,979 to 10,000 of 10,000", true)
	s.press("pgup", "up", "g", "j", "q")
	s.ready()
	s.shows("10,000 rows in 12 ms", true)
	s.shows(`the first 10,000 rows: \limit 0 shows all`, true)
	s.enter(`\limit 0`)
	s.typing("SELECT * FROM flights;\n")
	s.until("rows 1 to 22 of 20,000")
	s.press("q")
	s.ready()
}

func TestExportAndOutput(t *testing.T) {
	f := newFake()
	f.rows = 20_000
	s := open(t, f, 80, 24)
	s.enter(`\export x.csv`)
	s.shows("there is no answer to write", true)
	s.typing("SELECT * FROM flights;\n")
	s.until("rows 1 to 22")
	s.press("q")
	s.ready()
	s.enter(`\export all.csv`)
	s.shows("20,000 rows written to all.csv", true)
	s.enter(`\export all.parquet`)
	if f.parquet[filepath.Join(s.m.o.Dir, "all.parquet")] != 20_000 {
		t.Errorf("Parquet: %v", f.parquet)
	}
	s.enter(`\export all.exe`)
	s.shows("end it with .csv", true)
	f.rows = 2
	s.enter(`\once two.ndjson`)
	s.enter("SELECT 2;")
	s.enter(`\o all.md`)
	s.enter("SELECT 3; SELECT 4;")
	s.enter(`\o`)
	s.enter("SELECT 5;")
	s.shows("Zürich", true)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(s.m.o.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if n := strings.Count(read("all.csv"), "\n"); n != 20_001 {
		t.Errorf("%d lines of CSV", n)
	}
	if got := read("two.ndjson"); !strings.HasPrefix(got, `{"flight":1,"city":"Zürich","note":""}`+"\n") || strings.Count(got, "\n") != 2 {
		t.Errorf("once: %q", got)
	}
	if got := read("all.md"); strings.Count(got, "| flight |") != 2 {
		t.Errorf("output: %q", got)
	}
	s.enter(`\copy`)
	s.untilThat("a copy", func() bool { return strings.HasPrefix(s.clip, "flight,city,note\n1,Zürich,\"\"\n") })
	f.rows = 9000
	s.typing("SELECT 6;\n")
	s.until("rows 1 to 22")
	s.press("q")
	s.ready()
	s.enter(`\copy json`)
	s.shows(`it is larger than 100 kB`, true)
}

func TestWatch(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.enter(`\watch`)
	s.shows("there is no statement to watch", true)
	s.enter("SELECT 1;")
	s.enter(`\watch 0`)
	s.shows("no number of seconds", true)
	s.typing("\\watch 0.1\n")
	s.untilThat("two answers more", func() bool { return len(f.requests()) >= 3 })
	s.until("every 100ms, last at 12:00:00Z · ctrl+c leaves")
	s.press("ctrl+c")
	s.ready()
	n := strings.Count(s.frame(), "Zürich")
	if n != 2 { // of the statement, and what the watch left
		t.Errorf("%d answers in\n%s", n, s.frame())
	}
}

func TestCommands(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24, func(o *Options) {
		o.Request.Args, o.Dir = map[string]any{"code": "ATL"}, "/home/ada"
	})
	for _, line := range []string{`\l`, `\dt visit`, `.tables zzz`, `\d my-shop`, `\d fligts`, `\x`, `SELECT 1;`, `\x off`, `.mode csv`, `SELECT 1;`, `.mode cvs`, `\mode`,
		`\timing off`, `SELECT 1;`, `\set`, `\set n 5`, `SELECT $n;`, `\unset code`, `\set`, `\tming`, `\limit x`, `\i nowhere.sql`, `\c`} {
		s.enter(line)
	}
	s.golden("commands")
	if r := f.requests(); len(r) != 4 || len(r[3].Args) != 1 || r[3].Args["n"] != "5" || len(r[0].Args) != 0 || r[3].SQL != "SELECT $n" {
		t.Errorf("asked %+v", r)
	}
	s.all = nil
	s.enter(`\?`)
	s.golden("help")
}

func TestInclude(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	if err := os.WriteFile(filepath.Join(s.m.o.Dir, "report.sql"), []byte("\\x\nSELECT 1;\nSELECT 2"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.enter(`\i report.sql`)
	if r := f.requests(); len(r) != 2 || r[1].SQL != "SELECT 2" {
		t.Errorf("asked %+v", r)
	}
	s.shows("─ row 3 ", true)
}

// A mesh that is not there is told above the prompt, which is there at once; later it is
// found.
func TestMeshThatComesLater(t *testing.T) {
	f := newFake()
	f.away = fault.New(fault.Unavailable, "run meshctl up", "no mesh runs on this machine")
	s := open(t, f, 80, 24)
	s.shows("mesh>", true)
	s.until("hint: run meshctl up")
	s.enter("SELECT 1;")
	if n := strings.Count(s.frame(), "no mesh runs on this machine"); n != 2 {
		t.Errorf("told %d times:\n%s", n, s.frame())
	}
	f.set(func() { f.away = nil })
	s.known()
	s.enter("SELECT 1;")
	s.shows("3 rows", true)
	f.set(func() { f.away = errors.New("the hub is gone") })
	s.enter("SELECT 1;")
	s.shows("the hub is gone", true)
}

func TestNarrowAndWide(t *testing.T) {
	s := open(t, newFake(), 32, 12)
	s.typing("SELECT flight, '東京東京東京東京東京', city FROM flights WHERE flight = 1")
	s.golden("narrow")
	s.press("home")
	if v := s.m.View(); v.Cursor.X != width(firstPrompt) || v.Cursor.Y != 0 {
		t.Errorf("the cursor is at %d, %d", v.Cursor.X, v.Cursor.Y)
	}
	s.press("end")
	if v := s.m.View(); v.Cursor.Y == 0 || v.Cursor.X >= 32 {
		t.Errorf("the cursor is at %d, %d", v.Cursor.X, v.Cursor.Y)
	}
}

// The first prompt waits for nothing.
func TestFirstPrompt(t *testing.T) {
	began := time.Now()
	f := newFake()
	f.set(func() { f.away = errors.New("away") })
	s := open(t, f, 80, 24)
	s.shows("mesh>", true)
	if took := time.Since(began); took > 150*time.Millisecond {
		t.Errorf("the first prompt took %s", took)
	}
}

// Without colour nothing is lost, and with it a keyword looks otherwise than a string.
func TestColours(t *testing.T) {
	for _, dark := range []bool{true, false} {
		l := newLook(true, dark)
		d := l.draw("SELECT 'a', 1 -- x", 0, 80)
		if !strings.Contains(d.lines[0], l.in(accent, "SELECT")) || !strings.Contains(d.lines[0], l.in(good, "'a'")) || l.in(accent, "x") == l.in(good, "x") {
			t.Errorf("dark %v: %q", dark, d.lines)
		}
	}
	if newLook(true, true).in(accent, "x") == newLook(true, false).in(accent, "x") {
		t.Error("dark and light backgrounds have the same colours")
	}
	if d := newLook(false, true).draw("SELECT 'a'", 0, 80); d.lines[0] != "mesh> SELECT 'a'" {
		t.Errorf("without colour: %q", d.lines)
	}
}

// What data says does not drive the terminal, in no format.
func TestDataDrivesNoTerminal(t *testing.T) {
	s := open(t, newFake(), 80, 24, func(o *Options) { o.Color = false })
	for _, f := range formats() {
		s.enter(`\format ` + f)
		s.enter("SELECT 1;")
	}
	if all := strings.Join(s.all, "\n"); strings.ContainsRune(all, '\x1b') || strings.Count(all, "[31mred") < len(formats()) {
		t.Errorf("printed %q", all)
	}
}

// The page about the shell has every command and what it does.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "query-shell.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		row := "| `\\" + c.names[0] + strings.TrimRight(" "+strings.ReplaceAll(c.args, "|", "\\|"), " ") + "`"
		for _, n := range c.names[1:] {
			if strings.HasPrefix(n, ".") {
				row += " `" + n + "`"
			}
		}
		if row += " | " + strings.TrimPrefix(c.does, " ") + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/query-shell.md has no line\n%s", row)
		}
	}
}
