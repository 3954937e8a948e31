package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

func TestTreeFoldsSortsAndFilters(t *testing.T) {
	s := open(t, newFake(airline()), 80, 24)
	s.press("home", "space")
	s.untilNot("airports")
	s.press("right") // unfolds
	s.until("airports")
	s.press("down", "right") // a product's port
	s.untilFrame("the port below its product", func(f string) bool { return strings.Count(f, "airports") == 2 })
	s.press("left", "left")
	s.until("▌▾ aviation")

	s.press("s")
	s.until("RECORDS▼")
	if f := s.frame(); strings.Index(f, "flights") > strings.Index(f, "airports") {
		t.Errorf("the largest is not first:\n%s", f)
	}
	s.press("S")
	s.until("RECORDS▲")

	for typed, want := range map[string]struct{ has, not string }{
		"PILOT":    {"None of 4 ports matches", "flights"},
		"pilot":    {"flights", "airports"}, // a column
		"~arprts":  {"airports", "flights"},
		"!flights": {"airports", "▸ flights"},
		"catering": {"meals", "aviation"},
	} {
		s.press("/")
		s.typing(typed)
		s.until(want.has)
		s.untilNot(" " + want.not + " ")
		s.press("esc") // drops it
		s.until("aviation (3)")
	}
	s.press("/")
	s.typing("[")
	s.until("not a regular expression")
	s.press("esc", "/")
	s.typing("meals")
	s.press("enter")
	s.until("/meals  ") // in the head
	s.untilNot("flights")
	s.press("esc")
	s.until("flights")
}

func TestNarrowGoesInAndOut(t *testing.T) {
	s := open(t, newFake(airline()), 80, 24)
	s.press("down", "down", "enter")
	s.until("‹1 Overview›")
	s.press("5")
	s.until("read by")
	s.press("esc")
	s.until("NAME▲")
	s.press("tab")
	s.until("‹5 Lineage›")
	s.press("shift+tab")
	s.until("Nothing has come yet")
	s.press("left") // the first column
	s.until("this is the first column; esc goes back")
	s.press("esc", "home", "3")
	s.until("This is about one port")
}

func TestSortFilterAndCopyInTables(t *testing.T) {
	f := newFake(airline())
	f.rows = 30
	s := open(t, f, 120, 40)
	s.press("3")
	s.until("SFO")
	s.press("tab", "shift+tab")
	s.until("SFO")
	s.press("enter")
	s.press("right", "right", "right", "s")
	s.until("DELAY▲")
	s.press("s")
	s.until("DELAY▼")
	s.press("y")
	s.untilCopied("86")
	s.press("Y")
	s.untilCopied("")
	if !strings.Contains(s.clip, "\tSFO\t") && !strings.Contains(s.clip, "\tLAX\t") && !strings.Contains(s.clip, "\tATL\t") {
		t.Errorf("copied the row %q", s.clip)
	}
	s.press("/")
	s.typing("^LAX$")
	s.press("enter")
	s.untilNot("SFO")
	s.until("LAX")
	s.press("esc")
	s.until("SFO")
	s.press("enter")
	s.until("Row 1 of 30")
	s.press("esc", "c")
	s.until("histogram of 30 rows")
	s.press("c")
	s.until("over time")
	s.press("c")
	s.until("bars of")
}

func TestStreamMovesPausesAndIsBounded(t *testing.T) {
	f := newFake(airline())
	s := open(t, f, 80, 24)
	s.press("4")
	s.until("Nothing has come yet")
	give := func(from, to int) {
		for i := from; i < to; i++ {
			f.records <- serve.Record{Seq: record.Seq(i), Time: noon, Key: fmt.Sprint("k", i), Value: []byte(`{"n":` + fmt.Sprint(i) + `}`)}
		}
	}
	give(1, 50)
	s.until("▌ 49  ")
	s.press("up", "up")
	give(50, 60)
	s.until("the cursor holds its place")
	s.press("G")
	s.until("▌ 59  ")
	s.press("p")
	give(60, 70)
	s.until("10 records came since")
	s.press("p")
	s.until("▌ 69  ")
	s.press("enter")
	s.until(`"n": 69`)
	s.press("esc")
	done := make(chan struct{})
	go func() { defer close(done); give(70, 5000) }()
	s.until("▌4999")
	<-done
	if n := len(s.m.pane.records); n != streamMost {
		t.Errorf("%d records are held; want %d", n, streamMost)
	}
}

func TestSQLScrollsAMillionRows(t *testing.T) {
	f := newFake(airline())
	f.rows = 1_000_000
	s := open(t, f, 80, 24)
	s.press("down", "e")
	s.until("SELECT * FROM delays.delays LIMIT 1000;")
	s.press("enter") // ends with ;
	s.until("1,000,000 rows in 12 ms")
	s.press("tab", "G")
	s.until("▌1000000")
	s.press("pgup", "home")
	s.until("▌      1")
	s.press("right", "right", "right", "c")
	s.until("histogram of 1,000,000 rows, 100,000 without a value")
	s.press("esc", "s")
	s.until("DELAY▲")
	f.mu.Lock()
	last := f.queries[len(f.queries)-1]
	f.mu.Unlock()
	if last != "SELECT * FROM (\nSELECT * FROM delays.delays LIMIT 1000\n) ORDER BY 4" {
		t.Errorf("the answer was ordered by %q", last)
	}
	s.press("s")
	s.until("DELAY▼")
	s.press("/")
	s.until("an answer is filtered by its WHERE")
}

func TestTypingReplacesTheStatementThatIsOffered(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"V", "A", "L"}, "VAL"},
		{[]string{"left", ";"}, "SELECT * FROM delays.delays LIMIT 1000;;"},
		{[]string{"esc", "down", "e", "left", ";"}, "SELECT * FROM flights.flights LIMIT 1000;;"},
		{[]string{"left", "esc", "down", "e", "x"}, "SELECT * FROM delays.delays LIMIT 1000x;"},
	} {
		s := open(t, newFake(airline()), 80, 24)
		s.press("down", "e")
		s.until("What you type replaces the statement")
		s.press(c.keys...)
		if got := s.m.sql.editor.Value(); got != c.want {
			t.Errorf("after %v the editor holds %q, want %q", c.keys, got, c.want)
		}
	}
}

func TestSQLErrorsStopAndHistory(t *testing.T) {
	f := newFake(airline())
	f.fails = fault.New(fault.Rejected, "send a SELECT", "DROP cannot be queried")
	s := open(t, f, 80, 24)
	s.press(":")
	s.typing("sql DROP TABLE flights")
	s.press("enter")
	s.until("DROP cannot be queried")
	s.until("hint: send a SELECT")
	f.set(func() { f.fails, f.slow = nil, make(chan struct{}) })
	s.press("ctrl+r")
	s.until("esc stops it")
	s.press("esc")
	s.until("the statement was stopped")
	f.set(func() { close(f.slow); f.slow = nil })
	s.press("ctrl+p", "ctrl+p")
	s.until("there is no earlier statement")
	s.press("esc")
	s.until("NAME▲")
}

func TestExport(t *testing.T) {
	f := newFake(airline())
	f.rows = 5000
	s := open(t, f, 80, 24)
	dir := s.m.o.Dir
	write := func(name string) {
		s.press("x")
		for range 80 {
			s.send(tea.KeyPressMsg{Code: tea.KeyBackspace})
		}
		s.typing(name)
		s.press("enter")
	}
	s.press("e", "ctrl+r")
	s.until("5,000 rows in")
	s.press("tab")
	write("flights.csv")
	s.until("5,000 rows written to")
	data, err := os.ReadFile(filepath.Join(dir, "flights.csv"))
	if err != nil || bytes.Count(data, []byte("\n")) != 5001 || !bytes.HasPrefix(data, []byte("flight,origin,at,delay\n1,SFO,2026-03-04T12:00:00Z,-10\n")) {
		t.Errorf("%v, %.100s", err, data)
	}
	write("flights.csv")
	s.until("is there already")
	write("flights.exe")
	s.until("end the name with .csv")
	write("flights.parquet")
	s.until("flights.parquet")
	s.until("rows written to")
	if n := f.parquet[filepath.Join(dir, "flights.parquet")]; n != 5000 {
		t.Errorf("%d rows in Parquet", n)
	}
	s.press("esc", "2")
	s.until("IATA code")
	write("contract.json")
	s.until("2 rows written to")
	data, err = os.ReadFile(filepath.Join(dir, "contract.json"))
	if err != nil || !strings.Contains(string(data), `"column": "iata"`) {
		t.Errorf("%v, %s", err, data)
	}
}

func TestDeadLettersAreReplayedUnlessReadOnly(t *testing.T) {
	f := newFake(airline())
	f.letters = []serve.Letter{{Seq: 7, Time: noon, Reason: "too long", Value: "x"}}
	s := open(t, f, 80, 24)
	s.press("down", "7")
	s.until("too long")
	s.press("R")
	s.until("publish letter 7 of delays.delays again? y/n")
	s.press("n", "enter")
	s.until("nothing was done")
	s.press("R", "y", "enter")
	s.until("letter 7 of delays.delays was published again")
	if len(f.replayed) != 1 {
		t.Errorf("replayed %v", f.replayed)
	}
	s = open(t, f, 80, 24, func(o *Options) { o.ReadOnly = true })
	s.until("read-only")
	s.press("7")
	s.until("too long")
	s.press("R")
	s.until("--readonly forbids that")
}

// A hub that goes away is shown, what was known stays, and all goes on when it returns.
func TestHubGoesAwayAndReturns(t *testing.T) {
	f := newFake(airline())
	s := open(t, f, 120, 40)
	s.press("3")
	s.until("SFO")
	f.set(func() { f.away = errAway })
	s.send(tickMsg{})
	s.until("✖ hub away")
	s.until("250,000")
	s.press("r")
	s.until("start a mesh with meshctl up")
	f.set(func() { f.away = nil })
	s.send(tickMsg{})
	s.until("● live")
	s.until("SFO")
	s.press("v")
	s.until("can be reached again")
}

// A product that heartbeats but does not answer is asked until it does, and not gone one
// moment and well the next.
func TestProductThatDoesNotAnswer(t *testing.T) {
	f := newFake(airline())
	f.deaf = "flights"
	s := open(t, f, 120, 40)
	s.send(tickMsg{})
	s.until("○ gone 1s")
	s.press("/")
	s.typing("meal") // flights is not on the screen any more
	s.press("enter")
	s.untilNot("delays")
	beat := airline()[2]
	beat.Seen = noon
	f.changes <- change{name: "flights", entry: &beat}
	s.untilFrame("the heartbeat", func(string) bool { return len(s.m.mesh.Doubtful()) == 1 })
	s.press("v")
	s.until("is gone")
	s.send(tickMsg{})
	s.until("gives signs of life, but does not answer")
	f.set(func() { f.deaf = "" })
	s.send(tickMsg{})
	s.until("answers again")
}

func TestEventsAndChanges(t *testing.T) {
	f := newFake(airline())
	s := open(t, f, 120, 40)
	s.press("v")
	s.until("Nothing has happened")
	s.press("esc")
	more := airline()[1]
	more.Product.Metadata.Name, more.Ports[0].Address = "punctuality", "punctuality.rows"
	f.changes <- change{name: "punctuality", entry: &more}
	s.until("punctuality")
	worse := airline()[2]
	worse.Ports[0].Dead, worse.Ports[0].Error, worse.Seen = 5, "", noon
	f.changes <- change{name: "flights", entry: &worse}
	s.until("  5 ")
	failing := worse
	failing.Ports = append(failing.Ports[:0:0], failing.Ports...)
	failing.Ports[0].Error, failing.Seen = "disk full", noon.Add(time.Second)
	f.changes <- change{name: "flights", entry: &failing}
	s.until("✖ error")
	f.changes <- change{name: "meals"}
	s.untilNot("meals")
	s.press("v")
	for _, want := range []string{"joined the mesh", "3 dead letters more, 5 in all", "disk full", "was taken out of the catalog"} {
		s.until(want)
	}
}

// Keys are answered while no call of the mesh is.
func TestNothingWaitsForTheMesh(t *testing.T) {
	f := newFake(airline())
	s := open(t, f, 120, 40)
	f.set(func() { f.slow = make(chan struct{}) })
	for range 3 {
		for _, k := range []string{"3", "4", "7", "down", "up", "e", "ctrl+r", "esc", "esc", "r", "2", "5", "6"} {
			s.press(k)
			s.fits()
		}
		s.send(tickMsg{})
	}
	s.press("3")
	s.until("asking ")
	f.set(func() { close(f.slow); f.slow = nil })
	s.until("SFO")
}

func TestResize(t *testing.T) {
	s := open(t, newFake(airline()), 120, 40)
	s.press("2", "enter")
	for w := 20; w < 240; w += 7 {
		for _, h := range []int{3, 8, 11, 24, 61} {
			s.send(tea.WindowSizeMsg{Width: w, Height: h})
			s.fits()
			s.press("e")
			s.fits()
			s.press("esc", "?")
			s.fits()
			s.press("esc")
		}
	}
}

func TestMouse(t *testing.T) {
	s := open(t, newFake(airline()), 120, 40)
	s.send(tea.MouseClickMsg{X: 5, Y: 5}) // flights
	s.until("▌  ▸ flights")
	s.until("flights.flights")
	s.send(tea.MouseClickMsg{X: 25, Y: 1})
	s.until("RECORDS▼")
	s.send(tea.MouseClickMsg{X: 5, Y: 1})
	s.until("NAME▲")
	at := strings.Index(strings.Split(s.frame(), "\n")[1], "3 Sample")
	s.send(tea.MouseClickMsg{X: len([]rune(strings.Split(s.frame(), "\n")[1][:at])) + 2, Y: 1})
	s.until("SFO")
	s.send(tea.MouseClickMsg{X: 60, Y: 5})
	s.until("▌     2")
	s.send(tea.MouseWheelMsg{X: 60, Y: 5, Button: tea.MouseWheelDown})
	s.until("▌     3")
	s.send(tea.MouseWheelMsg{X: 5, Y: 5, Button: tea.MouseWheelUp})
	s.until("▌▾ aviation")
}

func TestCommands(t *testing.T) {
	s := open(t, newFake(airline()), 120, 40)
	do := func(text string) {
		s.press(":")
		s.typing(text)
		s.press("enter")
	}
	do("go meals")
	s.until("▌  ▸ meals")
	do("go flights.flights")
	s.until("▌      flights")
	do("go fligths")
	s.until("did you mean") // by the catalog's hint
	do("sort -lag")
	s.until("by lag")
	do("sort size")
	s.until("sort by one of name")
	do("contract")
	s.until("‹2 Contract›")
	do("search airport")
	s.until("FOUND IN")
	s.press("enter")
	s.until("▌  ▸ airports")
	do("theme forest")
	s.until("theme forest")
	do("theme pink")
	s.until("choose one of okabe")
	do("lin")
	s.until("‹5 Lineage›")
	do("evnets")
	s.until("did you mean :events?")
	s.press(":")
	s.typing("go del")
	s.press("tab")
	s.until("go delays")
}

func TestStartsWhereItIsTold(t *testing.T) {
	s := open(t, newFake(airline()), 120, 40, func(o *Options) { o.Start = "meals" })
	s.until("▌  ▸ meals")
	s = open(t, newFake(airline()), 120, 40, func(o *Options) { o.Start = "nobody" })
	s.until(`there is no product "nobody" in the catalog`)
	s = started(t, newFake(nil), 80, 24)
	s.until("The catalog is empty")
}

// What somebody published cannot drive the terminal.
func TestHostileTextIsShownNotObeyed(t *testing.T) {
	all := airline()
	all[2].Product.Metadata.Description = "x\x1b]0;owned\x07\x1b[2J"
	all[2].Product.Metadata.Owner = "evil\u202e\nteam"
	f := newFake(all)
	f.records <- serve.Record{Seq: 1, Time: noon, Key: "\x1b[31m", Value: []byte("{\"a\":\"\x1b[2J\"}")}
	s := open(t, f, 120, 40)
	s.press(":")
	s.typing("go flights")
	s.press("enter", "4")
	s.until(`\x1b[2J`)
	s.press("1")
	s.until(`evil\u202e`)
	raw := s.m.View().Content
	for _, bad := range []string{"\x1b]0;", "\x1b[2J", "\x07", "\u202e"} {
		if strings.Contains(raw, bad) {
			t.Errorf("the screen carries %q", bad)
		}
	}
	s.fits()
}

// The whole program, through bytes of a terminal.
func TestRun(t *testing.T) {
	f := newFake(airline())
	in, type_ := io.Pipe()
	f.asked = make(chan string, 10)
	out := &watched{text: "airports", found: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), f, Options{Now: func() time.Time { return noon }, In: in, Out: out, Environ: []string{"TERM=xterm-256color"}, Dir: t.TempDir()})
	}()
	if _, err := type_.Write([]byte("\x1b[48;24;80;384;640t")); err != nil { // a terminal tells its size
		t.Fatal(err)
	}
	await(t, out.found, done)
	if _, err := type_.Write([]byte("jje\x12")); err != nil { // down, down, the editor, ctrl+r
		t.Fatal(err)
	}
	select {
	case sql := <-f.asked:
		if sql != "SELECT * FROM flights.flights LIMIT 1000" {
			t.Errorf("the statement is %q", sql)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no statement came:\n%s", out)
	}
	if _, err := type_.Write([]byte("\x03")); err != nil { // ctrl+c, for q would be typed
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("ctrl+c did not end it")
	}
	if strings.Contains(out.String(), "\x1b[38;") {
		t.Error("there is colour without Color")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, f, Options{Now: time.Now, In: in, Out: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	if err := Run(t.Context(), f, Options{Theme: "pink"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with a theme that does not exist: %v", err)
	}
}

// An object port has files, and is looked at like any other.
func TestObjectPort(t *testing.T) {
	scans := catalog.Entry{Seen: noon, Product: product.Product{Metadata: product.Metadata{Name: "scans", Domain: "library", Version: "1.0.0", Status: product.StatusActive}}}
	scans.Ports = []catalog.Port{{Address: "scans.scans", Stream: "scans-v1", Table: "scans.scans", Major: 1, Output: product.Output{Name: "scans", Type: product.Object}}}
	s := open(t, newFake(catalog.Catalog{scans}), 200, 60)
	s.press("down", "enter")
	s.until("files         ")
	s.until("meshctl object ls scans.scans")
}
