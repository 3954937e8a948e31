package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// What the README and the pages of docs/ show as ```console blocks happens as shown:
// each page is one session in a folder of its own that holds testdata/demo. A line "$ …"
// is a command, and one with an open quote or a trailing \ goes on below; "^C" stops
// what still runs. "meshctl up", "hub" and "run" go on beside the commands that follow,
// on free ports. A command ends with 0, or its output ends with the line "(exit code N)".
// Times, durations, addresses, sequences of "as of" and what stands where the page says
// "…" may differ. A ```diff block, whose first line is "# FILE", changes that file.
// With -update the pages show what the commands print. The descriptors in
// ```yaml blocks are valid.
func TestDocs(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	bin := buildPlain(t, root)
	sessions := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range descriptors.FindAllSubmatch(text, -1) {
			if _, problems := product.Parse(filepath.Base(page), block[1]); len(problems) > 0 {
				t.Errorf("%v in\n%s", problems, block[1])
			}
		}
		blocks := blocksPlayed.FindAllSubmatchIndex(text, -1)
		if len(blocks) == 0 {
			continue
		}
		sessions++
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			s := newSession(t, root, bin)
			var shown bytes.Buffer
			end := 0
			for _, b := range blocks {
				play := s.play
				if string(text[b[2]:b[3]]) == "diff" {
					play = s.edit
				}
				if t.Failed() { // what follows would only be the consequence
					return
				}
				shown.Write(text[end:b[4]])
				shown.WriteString(play(string(text[b[4]:b[5]])))
				end = b[5]
			}
			shown.Write(text[end:])
			if *update && !t.Failed() {
				if err := os.WriteFile(page, shown.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if sessions < 4 {
		t.Errorf("only %d pages show commands", sessions)
	}
}

var (
	blocksPlayed = regexp.MustCompile("(?sm)^```(console|diff)\n(.*?)^```$")
	descriptors  = regexp.MustCompile("(?sm)^```yaml\n(apiVersion: .*?)^```$")
)

// session is one page's terminal.
type session struct {
	t    *testing.T
	dir  string
	env  []string
	runs []*background
}

// background is a command that runs until it is stopped.
type background struct {
	cmd  *exec.Cmd
	out  *transcript
	done chan error
}

// buildPlain builds meshctl as users have it and is the folder that holds it: under the
// race detector the tour's import would take minutes, and the stories look for races.
func buildPlain(t *testing.T, root string) string {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/meshctl")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build meshctl: %v\n%s", err, out)
	}
	return bin
}

func newSession(t *testing.T, root, bin string) *session {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "testdata", "demo"))); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	s := &session{t: t, dir: dir, env: append(os.Environ(),
		"HOME="+home, "XDG_STATE_HOME="+filepath.Join(home, "state"), "XDG_CONFIG_HOME="+filepath.Join(home, "config"),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "USER=ada", "NATS_URL=", "NATS_CONTEXT=", "NO_COLOR=1")}
	t.Cleanup(s.interrupt)
	return s
}

// play runs a block's commands, compares what they print with what the block shows, and
// is the block with what they print.
func (s *session) play(block string) string {
	var played strings.Builder
	for _, step := range steps(block) {
		played.WriteString(step.shown)
		if step.command == "" { // ^C
			s.interrupt()
			continue
		}
		got, ok := s.runUntil(step)
		if !ok && *update {
			step.output = got
		}
		played.WriteString(step.output)
		if !ok && !*update {
			s.t.Errorf("$ %s\nprints\n%s\nand the page shows\n%s", step.command, got, step.output)
		}
	}
	return played.String()
}

// reads are commands that may be given again.
var reads = regexp.MustCompile(`^meshctl (query|get|scan|tail|catalog|deadletter (ls|show|count))\b`)

// runUntil runs a command; one that reads is given again for a while until it prints
// what the page shows, because a mesh takes a moment to follow. It is what was printed,
// and whether that is what the page shows.
func (s *session) runUntil(step docStep) (got string, ok bool) {
	got = s.run(step.command)
	if !reads.MatchString(step.command) {
		return got, agrees(step.output, got)
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	settled := got
	since := time.Now()
	for began := since; !agrees(step.output, got); {
		if *update && time.Since(since) > 3*time.Second || time.Since(began) > time.Minute {
			return got, false
		}
		<-tick.C
		if got = s.run(step.command); !agrees(settled, got) {
			settled, since = got, time.Now()
		}
	}
	return got, true
}

// edit makes a diff block's change of a file of the session.
func (s *session) edit(block string) string {
	head, change, _ := strings.Cut(block, "\n")
	path := filepath.Join(s.dir, filepath.FromSlash(strings.TrimPrefix(head, "# ")))
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var before, after strings.Builder
	for line := range strings.Lines(change) {
		if line[0] != '+' {
			before.WriteString(line[1:])
		}
		if line[0] != '-' {
			after.WriteString(line[1:])
		}
	}
	if n := strings.Count(string(text), before.String()); n != 1 {
		s.t.Fatalf("%s has %d times\n%s", head, n, before.String())
	}
	edited := strings.Replace(string(text), before.String(), after.String(), 1)
	if err := os.WriteFile(path, []byte(edited), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return block
}

type docStep struct{ command, shown, output string }

// steps cuts a block into commands and what each of them prints.
func steps(block string) []docStep {
	var all []docStep
	open := false
	for line := range strings.Lines(block) {
		last := len(all) - 1
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case open:
			all[last].command += line
			all[last].shown += line
			open = unfinished(all[last].command)
		case isCommand:
			all = append(all, docStep{command: command, shown: line})
			open = unfinished(command)
		case line == "^C\n":
			all = append(all, docStep{shown: line})
		case last >= 0:
			all[last].output += line
		}
	}
	return all
}

func unfinished(command string) bool {
	return strings.Count(command, "'")%2 == 1 || strings.HasSuffix(command, "\\\n")
}

var (
	longRunning = regexp.MustCompile(`^meshctl (up|hub|run)\b`)
	serves      = regexp.MustCompile(`^meshctl (up|hub)\b`)
)

// run is what the command prints, stdout and stderr as a terminal shows them.
func (s *session) run(command string) string {
	command = strings.TrimSuffix(command, "\n")
	if longRunning.MatchString(command) {
		return s.start(command)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := s.shell(ctx, command)
	var out transcript
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &exit):
		fmt.Fprintf(&out, "(exit code %d)\n", exit.ExitCode())
	case err != nil:
		s.t.Fatalf("$ %s: %v\n%s", command, err, out.String())
	}
	return strings.ReplaceAll(progress.ReplaceAllString(out.String(), ""), s.dir, "/home/ada/mesh")
}

// progress is what a slow import tells meanwhile.
var progress = regexp.MustCompile(`(?m)^\S+: \d+.* rows/s.*\n`)

func (s *session) shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// start runs a command beside the others and is what it prints until it is ready.
func (s *session) start(command string) string {
	if serves.MatchString(command) {
		command += " --port -1 --leaf-port -1"
	}
	b := &background{cmd: s.shell(context.WithoutCancel(s.t.Context()), "exec "+command), out: &transcript{}, done: make(chan error, 1)}
	b.cmd.Stdout, b.cmd.Stderr = b.out, b.out
	if err := b.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.runs = append(s.runs, b)
	go func() { b.done <- b.cmd.Wait() }()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !regexp.MustCompile(`(?m)^.*\bready\b.*\n(  .*\n)*Press|^(hub|product).*ready.*\n`).MatchString(b.out.String()) {
		select {
		case err := <-b.done:
			b.done <- err
			s.t.Fatalf("$ %s ended: %v\n%s", command, err, b.out)
		case <-limit:
			s.t.Fatalf("$ %s is not ready\n%s", command, b.out)
		case <-tick.C:
		}
	}
	return b.out.String()
}

// interrupt stops what runs beside, the latest first, as Ctrl-C does.
func (s *session) interrupt() {
	for _, b := range slices.Backward(s.runs) {
		if err := b.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Errorf("stop %s: %v", b.cmd, err)
		}
		select {
		case err := <-b.done:
			if err != nil {
				s.t.Errorf("%s ended: %v\n%s", b.cmd, err, b.out)
			}
		case <-time.After(40 * time.Second):
			s.t.Errorf("%s does not end\n%s", b.cmd, b.out)
			if err := b.cmd.Process.Kill(); err != nil {
				s.t.Error(err)
			}
			<-b.done
		}
	}
	s.runs = nil
}

// transcript is what a command wrote, on either stream.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*transcript)(nil)

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// varies is what differs between two runs of a command.
var varies = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`202[0-9]-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`(as of record|"seq":) ?\d+`), "$1 SEQ"},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(ms|s|m|h)\b`), "AGE"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\b[A-Z2-7]{26}\b`), "ID"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// agrees says whether a command printed what a page shows, but for what varies. A line
// "…" on the page stands for any lines, "…" within a line for any text.
func agrees(page, got string) bool {
	for _, v := range varies {
		page, got = v.re.ReplaceAllString(page, v.with), v.re.ReplaceAllString(got, v.with)
	}
	pattern := regexp.QuoteMeta(strings.TrimSpace(page))
	pattern = regexp.MustCompile(`(?m)\n?^…$`).ReplaceAllString(pattern, `(?s:.*)`)
	pattern = strings.ReplaceAll(pattern, "…", `[^\n]*`)
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(strings.TrimSpace(got))
}

// The comparison can fail: it knows what may differ and what may not.
func TestDocsComparison(t *testing.T) {
	for _, c := range []struct {
		page, got string
		want      bool
	}{
		{"1 row in 12 ms\n", "1 row in 9 ms\n", true},
		{"1 row in 12 ms\n", "2 rows in 12 ms\n", false},
		{"flights  250000\n", "flights 250000\n", true},
		{"flights  250000\n", "flights 249999\n", false},
		{"a\n…\nz\n", "a\nb\nc\nz\n", true},
		{"a\n…\nz\n", "a\nb\nc\n", false},
		{"a\n…\n", "a\n", true},
		{"error: a … b\n(exit code 1)\n", "error: a x b\n(exit code 1)\n", true},
		{"error: a\n", "error: a\n(exit code 1)\n", false},
		{"", "\n", true},
		{"", "something\n", false},
	} {
		if got := agrees(c.page, c.got); got != c.want {
			t.Errorf("agrees(%q, %q) = %v", c.page, c.got, got)
		}
	}
}
