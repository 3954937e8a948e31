package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/charmbracelet/x/ansi"
)

// cmdTerminal runs a program on a terminal of 80 by 24 and types what a file says, line
// by line:
//
//	wait TEXT   until the terminal was sent TEXT, after what was waited for before
//	type TEXT   and enter
//	keys TEXT   as they are, "\t" being tab, "\x03" ctrl+c, "\e" escape
//	size C R    gives the terminal so many columns and rows
//
// The program ends with 0 by itself. What it wrote, without colours, becomes the file
// "terminal".
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: terminal FILE PROGRAM [ARG…]")
	}
	program, err := exec.LookPath(args[1])
	if args[1] == "meshctl" {
		program, err = os.Executable()
	}
	ts.Check(err)
	cmd := &exec.Cmd{Path: program, Args: args[1:], Dir: ts.MkAbs("."), Env: []string{"TERM=xterm-256color", "PATH=" + ts.Getenv("PATH")}}
	for _, name := range []string{"HOME", "USER", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "PAGER"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	t := &terminal{tty: tty, done: make(chan struct{})}
	go t.read()
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		verb, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch verb {
		case "wait":
			if !t.wait(text) {
				_ = cmd.Process.Kill() // it is told below what it showed
				ts.Fatalf("the terminal did not show %q:\n%s", text, t.text())
			}
		case "type":
			t.send(ts, text+"\r")
		case "keys":
			t.send(ts, strings.NewReplacer(`\t`, "\t", `\x03`, "\x03", `\x12`, "\x12", `\r`, "\r", `\e`, "\x1b").Replace(text))
		case "size":
			var size pty.Winsize
			_, err := fmt.Sscanf(text, "%d %d", &size.Cols, &size.Rows)
			ts.Check(errors.Join(err, pty.Setsize(tty, &size)))
		default:
			ts.Fatalf("%s: what is %q?", args[0], verb)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill() // it is told below what it showed
		err = errors.Join(errors.New("it goes on"), <-ended)
	}
	<-t.done
	ts.Check(errors.Join(tty.Close(), os.WriteFile(ts.MkAbs("terminal"), []byte(t.text()), 0o600)))
	if err != nil {
		ts.Fatalf("%s: %v\n%s", args[1], err, t.text())
	}
}

// terminal is what a program wrote to one.
type terminal struct {
	tty  *os.File
	done chan struct{}

	mu   sync.Mutex
	all  []byte
	from int // in the text, behind what was waited for
}

func (t *terminal) read() {
	defer close(t.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := t.tty.Read(buf)
		t.mu.Lock()
		t.all = append(t.all, buf[:n]...)
		t.mu.Unlock()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.EIO) || errors.Is(err, os.ErrClosed) { // the program has ended
			return
		}
	}
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ReplaceAll(ansi.Strip(string(t.all)), "\r", "")
}

func (t *terminal) send(ts *testscript.TestScript, keys string) {
	_, err := t.tty.WriteString(keys)
	ts.Check(err)
}

// wait says whether a text comes.
func (t *terminal) wait(text string) bool {
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		all := t.text()
		if at := strings.Index(all[min(t.from, len(all)):], text); at >= 0 {
			t.from += at + len(text)
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
}
