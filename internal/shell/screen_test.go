package shell

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// screen is the shell with somebody before it. Commands run beside it and their messages
// come in when the test looks, so that nothing depends on how quick the machine is.
type screen struct {
	t    *testing.T
	m    *model
	msgs chan tea.Msg
	all  []string // printed above the prompt
	clip string
	quit bool
}

func open(t *testing.T, f *fake, w, h int, change ...func(*Options)) *screen {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{
		Connect: func(ctx context.Context) (Mesh, error) { return f, f.wait(ctx) },
		Dir:     t.TempDir(), Now: func() time.Time { return noon }, Env: func(string) string { return "" }, Color: true, Version: "1.2.3",
	}
	for _, c := range change {
		c(&o)
	}
	s := &screen{t: t, m: newModel(ctx, o), msgs: make(chan tea.Msg, 10_000)}
	s.m.settle = func() tea.Cmd { return func() tea.Msg { return pagedMsg{} } }
	t.Cleanup(func() {
		cancel()
		s.m.work.Wait()
		if err := s.m.forget(); err != nil {
			t.Error(err)
		}
		if err := s.m.out.close(); err != nil {
			t.Error(err)
		}
	})
	s.send(tea.WindowSizeMsg{Width: w, Height: h})
	s.all = s.m.hello()
	s.run(s.m.Init())
	return s
}

func (s *screen) send(msg tea.Msg) { s.run(s.m.update(msg)) }

// run runs a command as bubbletea does, sequences in their order.
func (s *screen) run(cmd tea.Cmd) {
	if cmd != nil {
		go s.do(cmd)
	}
}

func (s *screen) do(cmd tea.Cmd) {
	msg := cmd()
	switch v := reflect.ValueOf(msg); {
	case msg == nil:
	case v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]():
		for i := range v.Len() {
			if c := v.Index(i).Interface().(tea.Cmd); v.Type() == reflect.TypeFor[tea.BatchMsg]() {
				s.run(c)
			} else if c != nil {
				s.do(c)
			}
		}
	default:
		select {
		case s.msgs <- msg:
		case <-s.m.ctx.Done():
		}
	}
}

// take takes one message in, if one comes before the deadline.
func (s *screen) take(deadline <-chan time.Time) bool {
	select {
	case msg := <-s.msgs:
		switch text := fmt.Sprint(msg); fmt.Sprintf("%T", msg) {
		case "tea.QuitMsg":
			s.quit = true
		case "tea.printLineMessage":
			s.all = append(s.all, strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}"), "\n")...)
		case "tea.setClipboardMsg":
			s.clip = text
		}
		s.send(msg)
		return true
	case <-deadline:
		return false
	}
}

// frame is the terminal without colour, all of what was printed included.
func (s *screen) frame() string {
	all := strings.Join(append(s.all[:len(s.all):len(s.all)], s.m.View().Content), "\n")
	if s.m.pager != nil {
		all = s.m.View().Content
	}
	lines := strings.Split(ansi.Strip(all), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *screen) untilThat(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		if !s.take(deadline) {
			s.t.Fatalf("the terminal did not show %s:\n%s", what, s.frame())
		}
	}
}

// until waits for a text on the terminal.
func (s *screen) until(text string) {
	s.t.Helper()
	s.untilThat(text, func() bool { return strings.Contains(s.frame(), text) })
}

// ready waits until there is a prompt for the next statement.
func (s *screen) ready() {
	s.t.Helper()
	s.untilThat("a prompt", func() bool { return !s.m.busy && s.m.pager == nil })
}

// known waits until the catalog has come.
func (s *screen) known() {
	s.t.Helper()
	select {
	case <-s.m.link.known:
	case <-time.After(20 * time.Second):
		s.t.Fatal("the catalog has not come")
	}
}

// enter types a text and enter, and waits for the next prompt.
func (s *screen) enter(text string) {
	s.t.Helper()
	s.typing(text)
	s.press("enter")
	s.ready()
}

func (s *screen) typing(text string) {
	for _, r := range text {
		switch r {
		case ' ':
			s.send(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
		case '\n':
			s.press("enter")
		default:
			s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

// press presses keys, by the names that bubbletea gives them.
func (s *screen) press(keys ...string) {
	special := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft,
		"right": tea.KeyRight, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "f5": tea.KeyF5,
		"backspace": tea.KeyBackspace,
	}
	for _, name := range keys {
		if code, ok := special[name]; ok {
			s.send(tea.KeyPressMsg{Code: code})
		} else if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
			s.send(tea.KeyPressMsg{Code: []rune(rest)[0], Mod: tea.ModCtrl})
		} else if name == "shift+tab" {
			s.send(tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift})
		} else {
			s.send(tea.KeyPressMsg{Code: []rune(name)[0], Text: name})
		}
	}
}

// golden compares the terminal with testdata/NAME, and checks that nothing is too wide.
func (s *screen) golden(name string) {
	s.t.Helper()
	file := filepath.Join("testdata", name+".txt")
	got := s.frame()
	for line := range strings.Lines(got) {
		if w := width(strings.TrimSuffix(line, "\n")); w > s.m.width {
			s.t.Errorf("%s: a line has %d cells on a terminal of %d: %q", name, w, s.m.width, line)
		}
	}
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
		s.t.Errorf("%s: the terminal shows\n%s\nand showed\n%s", name, got, want)
	}
}

// shows checks that a text is, or with want false is not, on the terminal.
func (s *screen) shows(text string, want bool) {
	s.t.Helper()
	if strings.Contains(s.frame(), text) != want {
		s.t.Errorf("shows %q: want %v in\n%s", text, want, s.frame())
	}
}
