package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Command is logic in a program of the product's own. It reads NDJSON on stdin and
// writes NDJSON on stdout, framed in batches:
//
//	{"$batch":7,"input":"orders"}      a batch begins
//	{"id":1,"total":"9.90"}            its records, one a line
//	{"$delete":"42"}                   a deleted key of a state input
//	{"$end":7}                         a batch ends
//
// For each batch the program writes its records, {"$delete":KEY} for a key to delete,
// {"$reject":RECORD,"reason":"why"} for a dead letter, and at last repeats the $end line.
// A batch may be empty.
// A program that dies or exceeds its time limit fails the batch; the next Apply starts
// a new one.
type Command struct {
	Spec   product.CommandLogic
	Dir    string   // working directory: the product's folder
	Env    []string // of the process, as os.Environ
	Logger *slog.Logger

	process *process
}

// the longest line that a program may write.
const maxCommandLine = 8 << 20

type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
	logs   sync.WaitGroup
	kill   context.CancelFunc
}

// Apply runs one batch through the program, in frames of at most BatchSize records.
func (c *Command) Apply(ctx context.Context, number uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	var emitted []Emitted
	var rejected []Rejected
	size := max(c.Spec.BatchSize, 1)
	if c.process == nil {
		if err := c.start(); err != nil {
			return nil, nil, err
		}
	}
	for first := true; first || len(items) > 0; first = false {
		n := min(size, len(items))
		e, r, err := c.frame(ctx, number, input, items[:n])
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%w: program %s: %w", ErrBatch, c.Spec.Run[0], err), c.Close())
		}
		emitted, rejected = append(emitted, e...), append(rejected, r...)
		items = items[n:]
	}
	return emitted, rejected, nil
}

// Close ends the program: it closes stdin, gives it a second, then kills it.
func (c *Command) Close() error {
	p := c.process
	if p == nil {
		return nil
	}
	c.process = nil
	timer := time.AfterFunc(time.Second, p.kill)
	defer timer.Stop()
	defer p.kill()
	p.stdin.Close() // a broken pipe means that it has gone already
	for p.stdout.Scan() {
	}
	p.logs.Wait()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != -1 {
		return fmt.Errorf("program %s ended: %w", c.Spec.Run[0], err)
	}
	return nil
}

func (c *Command) start() error {
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, c.Spec.Run[0], c.Spec.Run[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = c.Env
	for k, v := range c.Spec.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	// Its own process group, so that a Ctrl-C on the terminal reaches us alone and we
	// end it between two batches, and killing it takes its children along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		kill()
		return err
	}
	if err := cmd.Start(); err != nil {
		kill()
		return fmt.Errorf("start program %s: %w", c.Spec.Run[0], err)
	}
	p := &process{cmd: cmd, stdin: stdin, stdout: bufio.NewScanner(stdout), kill: kill}
	p.stdout.Buffer(make([]byte, 0, 64<<10), maxCommandLine)
	p.logs.Go(func() { c.logStderr(stderr) })
	c.process = p
	return nil
}

func (c *Command) logStderr(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		c.Logger.Info(lines.Text(), "program", c.Spec.Run[0])
	}
	if lines.Err() != nil { // an endless line: keep the pipe flowing
		if _, err := io.Copy(io.Discard, stderr); err != nil {
			c.Logger.Warn("read the program's stderr", "error", err)
		}
	}
}

func (c *Command) frame(ctx context.Context, number uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	p := c.process
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Spec.Timeout))
	defer cancel()
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()

	// The program may answer while it still reads: write and read side by side.
	wrote := make(chan error, 1)
	go func() { wrote <- p.write(number, input, items) }()
	emitted, rejected, err := p.read(number)
	if err != nil {
		p.kill()
	}
	err = errors.Join(err, <-wrote)
	if ctx.Err() != nil {
		err = fmt.Errorf("a batch of %d records, limit %s: %w", len(items), time.Duration(c.Spec.Timeout), ctx.Err())
	}
	return emitted, rejected, err
}

func (p *process) write(number uint64, input string, items []Item) error {
	w := bufio.NewWriterSize(p.stdin, 64<<10)
	fmt.Fprintf(w, "{\"$batch\":%d,\"input\":%q}\n", number, input)
	for _, it := range items {
		line := it.Value
		if it.Delete != nil {
			text, err := json.Marshal(map[string]string{"$delete": record.JoinTexts(it.Delete)})
			if err != nil {
				return err
			}
			line = text
		}
		// A published record may be written over several lines; a frame's is one.
		w.Write(bytes.ReplaceAll(line, []byte{'\n'}, []byte{' '}))
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "{\"$end\":%d}\n", number)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write a batch to the program: %w", err)
	}
	return nil
}

func (p *process) read(number uint64) ([]Emitted, []Rejected, error) {
	var emitted []Emitted
	var rejected []Rejected
	for p.stdout.Scan() {
		line := bytes.TrimSpace(p.stdout.Bytes())
		if len(line) == 0 {
			continue
		}
		if !bytes.HasPrefix(line, []byte(`{"$`)) {
			emitted = append(emitted, Emitted{Value: bytes.Clone(line)})
			continue
		}
		var control struct {
			End    *uint64         `json:"$end"`
			Delete json.RawMessage `json:"$delete"`
			Reject json.RawMessage `json:"$reject"`
			Reason string          `json:"reason"`
		}
		if err := json.Unmarshal(line, &control); err != nil {
			return nil, nil, fmt.Errorf("read the program's answer: line %.120q: %w", line, err)
		}
		switch {
		case control.End != nil && *control.End == number:
			return emitted, rejected, nil
		case control.Delete != nil:
			emitted = append(emitted, Emitted{Value: bytes.Clone(line)})
		case control.Reject != nil:
			rejected = append(rejected, Rejected{Value: control.Reject, Reason: control.Reason, Origin: fmt.Sprintf("logic:%d", number)})
		default:
			return nil, nil, fmt.Errorf("read the program's answer: unexpected line %.120q in batch %d", line, number)
		}
	}
	if err := p.stdout.Err(); err != nil {
		return nil, nil, fmt.Errorf("read the program's answer: %w", err)
	}
	return nil, nil, fmt.Errorf("read the program's answer: it ended before {\"$end\":%d}", number)
}
