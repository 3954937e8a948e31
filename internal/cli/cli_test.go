package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/host"
)

// run runs the whole program in dir.
func run(ctx context.Context, t *testing.T, dir string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	h := &host.Host{
		Args: args, Env: func(string) string { return "" }, Dir: dir, In: strings.NewReader(""), Out: &stdout, Err: &stderr,
		Width: func() int { return 80 }, Now: time.Now,
	}
	code = Main(ctx, h)
	return code, stdout.String(), stderr.String()
}

func TestExitCodes(t *testing.T) {
	for kind, want := range map[fault.Kind]int{
		fault.Internal: 1, fault.Rejected: 1, fault.Invalid: 2, fault.NotFound: 2, fault.Conflict: 2,
		fault.Unavailable: 3, fault.Denied: 3, fault.Timeout: 4,
	} {
		err := fmt.Errorf("outer: %w", fault.New(kind, "", "inner"))
		if got := exitCode(err); got != want {
			t.Errorf("%s ends with %d, want %d", kind, got, want)
		}
	}
	if got := exitCode(errors.New("a defect")); got != 1 {
		t.Errorf("an error that is no fault ends with %d", got)
	}
	if got := exitCode(fmt.Errorf("wait: %w", context.DeadlineExceeded)); got != 4 {
		t.Errorf("a deadline ends with %d", got)
	}
}

func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, out, errs := run(ctx, t, dir, "init", "x", "--from", "a.csv")
	if code != 130 || out != "" || errs != "interrupted\n" {
		t.Errorf("ended with %d, stdout %q, stderr %q", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made the folder: %v", err)
	}
}

func TestErrorsAreTextWithAHint(t *testing.T) {
	var b bytes.Buffer
	printError(&b, fault.New(fault.Invalid, "do this", "first\nsecond"))
	if got, want := b.String(), "error: first\n  second\nhint: do this\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	b.Reset()
	if printError(&b, fmt.Errorf("validate: %w", errReported)); b.Len() > 0 {
		t.Errorf("what was reported is printed again: %q", b.String())
	}
}

func TestNoColorReachesTheHost(t *testing.T) {
	h := &host.Host{Env: func(string) string { return "" }, OutTTY: true}
	g := &globals{Host: h, NoColor: true}
	if !h.Color() {
		t.Fatal("a terminal has colour")
	}
	if g.apply(); h.Color() {
		t.Error("--no-color left the colour on")
	}
}

// Every command says what it is for and shows an example; a noun's verbs too.
func TestEveryCommandExplainsItself(t *testing.T) {
	root := newRoot(&globals{Host: &host.Host{}})
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 70 {
			t.Errorf("%s has Short %q", cmd.CommandPath(), cmd.Short)
		}
		if !cmd.HasSubCommands() && cmd.Example == "" && cmd.Parent().Name() != "completion" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if cmd.Runnable() && cmd.Args == nil && cmd.Name() != "help" {
			t.Errorf("%s does not check its arguments", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	for _, sub := range root.Commands() {
		check(sub)
	}
}

// Help is read on terminals of 80 columns, and has the same bytes on all of them.
func TestHelpFitsTheTerminal(t *testing.T) {
	var check func(path []string, cmd *cobra.Command)
	check = func(path []string, cmd *cobra.Command) {
		code, out, _ := run(t.Context(), t, t.TempDir(), append(path, "--help")...)
		if code != 0 || out == "" {
			t.Errorf("%v --help ends with %d", path, code)
		}
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%v --help has a line of %d columns: %s", path, n, line)
			}
		}
		for _, sub := range cmd.Commands() {
			check(append(path[:len(path):len(path)], sub.Name()), sub)
		}
	}
	check(nil, newRoot(&globals{Host: &host.Host{}}))
}

func TestFold(t *testing.T) {
	text := "one two three\nfour\n\n  an example that stays as it is\nfünf sechs " + strings.Repeat("x", 12)
	want := "one two\nthree four\n\n  an example that stays as it is\nfünf sechs\n" + strings.Repeat("x", 12)
	if got := fold(text, 10); got != want {
		t.Errorf("folded to\n%s\nwant\n%s", got, want)
	}
}
