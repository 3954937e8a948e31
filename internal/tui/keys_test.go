package tui

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/ui.md and the bindings say the same: every key with what it does where, and every
// command, and nothing else.
func TestDocsNameTheKeys(t *testing.T) {
	page, err := os.ReadFile("../../docs/ui.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, real []string
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*`) \\| ([^|]*) \\| ([^|]*) \\|$").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, strings.ReplaceAll(m[1], "`", "")+" | "+m[2]+" | "+m[3])
	}
	for _, b := range bindings() {
		real = append(real, strings.Join(b.keys, " ")+" | "+b.in.String()+" | "+b.does)
	}
	for _, c := range commands() {
		real = append(real, strings.TrimSpace(":"+c.name+" "+c.args)+" | command | "+c.does)
	}
	slices.Sort(documented)
	slices.Sort(real)
	for _, r := range real {
		if !slices.Contains(documented, r) {
			t.Errorf("docs/ui.md lacks the row: %s", r)
		}
	}
	for _, d := range documented {
		if !slices.Contains(real, d) {
			t.Errorf("docs/ui.md has a row that is not so: %s", d)
		}
	}
	if len(real) < 40 {
		t.Errorf("only %d keys and commands", len(real))
	}
}

// No key means two things in one place, but for those that a more special one hides.
func TestKeysAreUnambiguous(t *testing.T) {
	hidden := map[string]bool{"left": true, "h": true, "esc": true, "tab": true, "c": true} // grid before pane, SQL before all, chart before grid
	all := bindings()
	for i, a := range all {
		for _, b := range all[i+1:] {
			for _, k := range a.keys {
				if a.in&b.in != 0 && slices.Contains(b.keys, k) && !hidden[k] {
					t.Errorf("%s is %q and %q", k, a.does, b.does)
				}
			}
		}
	}
}

// A key that does nothing says why.
func TestIdleKeysSayWhy(t *testing.T) {
	s := open(t, newFake(airline()), 120, 40)
	for key, want := range map[string]string{
		"z":  "z does nothing; ? shows the keys that work here",
		"x":  "x does nothing here, it works in: tables",
		"R":  "R does nothing here, it works in: Dead",
		"p":  "p does nothing here, it works in: Stream",
		"up": "", "k": "", // they move
	} {
		s.press(key)
		if f := s.frame(); !strings.Contains(f, want) {
			t.Errorf("%s: no %q in\n%s", key, want, f)
		}
	}
	s.press("g", "up")
	s.until("this is the beginning")
	s.press("G", "down")
	s.until("this is the end")
	s.press("esc")
	s.until("this is the beginning; q leaves")
	s.press("1")
	s.until("Overview is open")
	s.press("e", "tab")
	s.until("there is no answer to go to")
	s.press("ctrl+n")
	s.until("there is no later statement")
}

func TestQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"e", "ctrl+c"}, {"enter", "q"}, {":", "q", "u", "i", "t", "enter"}} {
		s := open(t, newFake(airline()), 80, 24)
		s.press(keys...)
		s.untilQuit()
	}
	s := open(t, newFake(airline()), 80, 24)
	s.press("/", "q") // is typed
	s.press("esc", "e", "q")
	s.until("q")
	if s.quit {
		t.Error("a q that is typed leaves")
	}
}
