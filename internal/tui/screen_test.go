package tui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/meshctl/meshctl/internal/browse"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// screen is the model with somebody before it. Commands run beside it and their messages
// come in when the test looks, so that nothing depends on how quick the machine is.
type screen struct {
	t    *testing.T
	m    *Model
	msgs chan tea.Msg
	clip string
	quit bool
}

// open shows a mesh on a terminal of that size, and waits until the catalog is there.
func open(t *testing.T, src browse.Source, w, h int, change ...func(*Options)) *screen {
	t.Helper()
	s := started(t, src, w, h, change...)
	s.until("● live")
	return s
}

// started is a screen that may not have seen the mesh yet.
func started(t *testing.T, src browse.Source, w, h int, change ...func(*Options)) *screen {
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Now: func() time.Time { return noon }, Dir: t.TempDir(), Color: true}
	for _, c := range change {
		c(&o)
	}
	s := &screen{t: t, m: newModel(ctx, src, o), msgs: make(chan tea.Msg, 10_000)}
	s.m.tick = func() tea.Cmd { return nil } // the test says when a second has passed
	t.Cleanup(func() {
		cancel()
		s.m.work.Wait()
		if err := s.m.sql.drop(); err != nil {
			t.Error(err)
		}
	})
	s.run(s.m.Init())
	s.send(tea.WindowSizeMsg{Width: w, Height: h})
	return s
}

func (s *screen) send(msg tea.Msg) { s.run(s.m.update(msg)) }

// run runs a command as bubbletea does, but for the ones that speak to the terminal.
func (s *screen) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		switch msg := cmd().(type) {
		case nil:
		case tea.BatchMsg:
			for _, c := range msg {
				s.run(c)
			}
		default:
			select {
			case s.msgs <- msg:
			case <-s.m.ctx.Done():
			}
		}
	}()
}

// take takes one message in, if one comes before the deadline.
func (s *screen) take(deadline <-chan time.Time) bool {
	select {
	case msg := <-s.msgs:
		switch msg := msg.(type) {
		case tea.QuitMsg:
			s.quit = true
		default:
			s.send(msg)
			if text, ok := clipboard(msg); ok {
				s.clip = text
			}
		}
		return true
	case <-deadline:
		return false
	}
}

// clipboard is what a message of bubbletea's puts there; its type is not exported.
func clipboard(msg tea.Msg) (string, bool) {
	return fmt.Sprint(msg), strings.HasSuffix(fmt.Sprintf("%T", msg), "setClipboardMsg")
}

// until waits for a text on the screen.
func (s *screen) until(text string) {
	s.t.Helper()
	s.untilFrame(text, func(f string) bool { return strings.Contains(f, text) })
}

func (s *screen) untilNot(text string) {
	s.t.Helper()
	s.untilFrame("no "+text, func(f string) bool { return !strings.Contains(f, text) })
}

func (s *screen) untilFrame(what string, ok func(string) bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok(s.frame()) {
		if !s.take(deadline) {
			s.t.Fatalf("the screen did not show %s:\n%s", what, s.frame())
		}
	}
}

// frame is the screen without colour.
func (s *screen) frame() string {
	lines := strings.Split(ansi.Strip(s.m.View().Content), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// press presses keys, by the names that bubbletea gives them; a longer word is typed.
func (s *screen) press(keys ...string) {
	for _, k := range keys {
		s.send(keyPress(k))
	}
}

func (s *screen) typing(text string) {
	for _, r := range text {
		if r == ' ' {
			s.send(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
			continue
		}
		s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

func keyPress(name string) tea.KeyPressMsg {
	special := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft,
		"right": tea.KeyRight, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "f5": tea.KeyF5,
	}
	if code, ok := special[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: []rune(rest)[0], Mod: tea.ModCtrl}
	}
	if name == "shift+tab" {
		return tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// golden compares the screen with testdata/NAME.
func (s *screen) golden(name string) {
	s.t.Helper()
	file := filepath.Join("testdata", name+".txt")
	got := s.frame()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s: the screen is\n%s\nand was\n%s", name, got, want)
	}
}

// lines checks that the frame has exactly the terminal's size.
func (s *screen) fits() {
	s.t.Helper()
	lines := strings.Split(s.m.View().Content, "\n")
	if len(lines) != s.m.height {
		s.t.Errorf("%d lines on a terminal of %d:\n%s", len(lines), s.m.height, s.frame())
	}
	for i, l := range lines {
		if w := width(l); w != s.m.width {
			s.t.Errorf("line %d has %d cells on a terminal of %d: %q", i, w, s.m.width, ansi.Strip(l))
		}
	}
}

func (s *screen) untilQuit() {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !s.quit {
		if !s.take(deadline) {
			s.t.Fatalf("it goes on:\n%s", s.frame())
		}
	}
}

// untilCopied waits for something in the clipboard, any text for "".
func (s *screen) untilCopied(text string) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	s.clip = ""
	for s.clip == "" || text != "" && s.clip != text {
		if !s.take(deadline) {
			s.t.Fatalf("the clipboard has %q, want %q:\n%s", s.clip, text, s.frame())
		}
	}
}

// watched is a terminal's output, in which a text is waited for.
type watched struct {
	mu    sync.Mutex
	all   strings.Builder
	text  string
	found chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if w.text != "" && strings.Contains(w.all.String(), w.text) {
		close(w.found)
		w.text = ""
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

func await(t *testing.T, what <-chan struct{}, done <-chan error) {
	t.Helper()
	select {
	case <-what:
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("it did not come within 20 s")
	}
}
