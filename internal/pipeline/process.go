package pipeline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// process is a program that runs.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	stderr *os.File
	lines  *bufio.Scanner // of stdout
	exited chan struct{}  // closed when it has ended, its children too
	status error          // how it ended
	killed atomic.Bool    // by us
	logs   sync.WaitGroup
	said   string // its last line on stderr

	kill func() // ends it at once, and all that waits for it; may be called often
}

// How long a program may take to end once its stdin is closed, and its last words to arrive.
const (
	endGrace = time.Second
	logGrace = 200 * time.Millisecond
)

func startProcess(c *Command) (p *process, err error) {
	p = &process{exited: make(chan struct{})}
	in, stdin, err1 := os.Pipe()
	stdout, out, err2 := os.Pipe()
	stderr, logs, err3 := os.Pipe()
	p.stdin, p.stdout, p.stderr = stdin, stdout, stderr
	defer func() { closeAll(in, out, logs) }() // the program has its own by then
	if err := errors.Join(err1, err2, err3); err != nil {
		closeAll(stdin, stdout, stderr)
		return nil, fmt.Errorf("start program %s: %w", c.Spec.Run[0], err)
	}
	p.cmd = exec.Command(c.Spec.Run[0], c.Spec.Run[1:]...)
	p.cmd.Dir = c.Dir
	p.cmd.Env = slices.Clone(c.Env)
	for _, name := range slices.Sorted(maps.Keys(c.Spec.Env)) {
		p.cmd.Env = append(p.cmd.Env, name+"="+c.Spec.Env[name])
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, out, logs
	// Its own process group, so that a Ctrl-C on the terminal does not reach it before
	// us, and killing it takes its children along.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		closeAll(stdin, stdout, stderr)
		return nil, noProgram(err)
	}
	p.kill = sync.OnceFunc(p.stop)
	p.lines = bufio.NewScanner(stdout)
	p.lines.Buffer(make([]byte, 0, 64<<10), maxCommandLine)
	p.logs.Go(func() { p.log(c.Logger.With("program", c.Spec.Run[0])) })
	go p.wait()
	return p, nil
}

func noProgram(err error) error {
	return fault.New(fault.Invalid, "install it, or correct spec.logic.command.run", "start program: %w", err)
}

// wait ends with the program; end waits for it.
func (p *process) wait() {
	p.status = p.cmd.Wait()
	p.signalGroup() // children that it left behind
	close(p.exited)
}

// signalGroup kills what there is of the program's process group. That nothing is left
// of it is no error.
func (p *process) signalGroup() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// stop kills the program. A child that has left the group may hold its pipes open, so
// the deadlines end what waits for them; on a pipe that is closed already they fail.
func (p *process) stop() {
	select {
	case <-p.exited:
	default:
		p.killed.Store(true)
		p.signalGroup()
	}
	now := time.Now()
	_ = p.stdin.SetWriteDeadline(now)
	_ = p.stdout.SetReadDeadline(now)
	_ = p.stderr.SetReadDeadline(now.Add(logGrace))
}

// end ends the program and returns how it failed by itself, with its last words.
func (p *process) end() error {
	p.stdin.Close()
	grace := time.AfterFunc(endGrace, p.kill)
	defer grace.Stop()
	if _, err := io.Copy(io.Discard, p.stdout); err != nil { // too late an answer
		p.kill()
	}
	<-p.exited
	_ = p.stderr.SetReadDeadline(time.Now().Add(logGrace)) // fails only on a closed pipe
	p.logs.Wait()
	closeAll(p.stdout, p.stderr)
	switch {
	case p.status == nil || p.killed.Load():
		return nil
	case p.said != "":
		return fmt.Errorf("%w: %s", p.status, p.said)
	}
	return p.status
}

// log passes on what the program says on stderr, line by line.
func (p *process) log(logger *slog.Logger) {
	r := bufio.NewReaderSize(p.stderr, 16<<10)
	for {
		line, more, err := r.ReadLine()
		if err != nil { // its end, or that of the grace
			return
		}
		if len(line) > 0 {
			p.said = string(line)
			logger.Info(p.said)
		}
		for more && err == nil { // a line too long to log whole
			_, more, err = r.ReadLine()
		}
	}
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close() // pipes: nothing is lost by an error
		}
	}
}
