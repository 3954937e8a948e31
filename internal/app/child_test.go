package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The test binary is also the processes that the tests kill.
const (
	roleVar    = "MESHCTL_TEST_ROLE"
	optionsVar = "MESHCTL_TEST_OPTIONS"
)

func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(roleVar); role {
	case "":
		os.Exit(m.Run())
	case "hub":
		err = childRun(func(ctx context.Context, o childOptions, log *slog.Logger) (string, io.Closer, error) {
			h, err := StartHub(ctx, HubOptions{
				Data: o.Data, Host: "127.0.0.1", ClientPort: o.ClientPort, LeafPort: o.LeafPort, StateDir: o.State, Logger: log,
			})
			if err != nil {
				return "", nil, err
			}
			return h.ClientURL(), closer(func() error { return h.Close(context.Background()) }), nil
		})
	case "product":
		err = childRun(func(ctx context.Context, o childOptions, log *slog.Logger) (string, io.Closer, error) {
			p, err := StartProduct(ctx, ProductOptions{
				Dir: o.Dir, Data: o.Data, HubLeaf: o.HubLeaf, Creds: o.creds(), HTTP: "127.0.0.1:0", Version: "test",
				Env: os.Environ(), Logger: log, MaintainEvery: 100 * time.Millisecond,
			})
			if err != nil {
				return "", nil, err
			}
			return p.HTTPURL(), closer(func() error { return p.Close(context.Background()) }), nil
		})
	case "nobody":
		err = runAsNobody()
	case "program":
		err = runProgram(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("no role %s", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type closer func() error

func (c closer) Close() error { return c() }

// childOptions travel to a child in its environment.
type childOptions struct {
	Data       string
	State      string
	ClientPort int
	LeafPort   int
	Dir        string
	HubLeaf    string
}

// creds are what the hub of these tests issues, kept beside the product's data.
func (o childOptions) creds() CredsSource {
	return CredsOfThisMachine(o.State, o.HubLeaf, o.Data+".creds")
}

// childRun starts something, tells its address on stdout, and closes it when stdin ends.
func childRun(start func(context.Context, childOptions, *slog.Logger) (string, io.Closer, error)) error {
	var o childOptions
	if err := json.Unmarshal([]byte(os.Getenv(optionsVar)), &o); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	address, running, err := start(context.Background(), o, log)
	if err != nil {
		return err
	}
	fmt.Println(address)
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, running.Close())
}

// child is a process of the test binary.
type child struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	stdout  io.Reader
	address string // that it told
}

// startChild returns when the process is ready.
func startChild(t *testing.T, role string, o childOptions) *child {
	t.Helper()
	c := beginChild(t, role, o)
	line, err := bufio.NewReader(c.stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the %s did not start: %v", role, err)
	}
	c.address = strings.TrimSpace(line)
	return c
}

// beginChild returns while the process is still starting.
func beginChild(t *testing.T, role string, o childOptions) *child {
	t.Helper()
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), roleVar+"="+role, optionsVar+"="+string(options))
	c.cmd.Stderr = t.Output()
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	return c
}

// kill ends the process at once, as kill -9 does.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill() // it may have ended by itself
		_ = c.cmd.Wait()         // a killed process has no clean status
	}
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// runProgram is a program of a product's own, whose output differs each time it runs.
// It doubles n, deletes and refuses as it is told.
func runProgram(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	w := bufio.NewWriter(out)
	for lines.Scan() {
		line := lines.Text()
		var r struct {
			End  *uint64 `json:"$end"`
			ID   string  `json:"id"`
			N    int64   `json:"n"`
			What string  `json:"what"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(line, `{"$batch"`):
		case r.End != nil:
			fmt.Fprintln(w, line)
			if err := w.Flush(); err != nil {
				return err
			}
		case r.What == "delete":
			fmt.Fprintf(w, "{\"$delete\":%q}\n", r.ID)
		case r.What == "reject":
			fmt.Fprintf(w, "{\"$reject\":%s,\"reason\":\"refused\"}\n", line)
		default:
			fmt.Fprintf(w, "{\"id\":%q,\"n\":%d,\"run\":\"%d-%d\"}\n", r.ID, 2*r.N, os.Getpid(), time.Now().UnixNano())
		}
	}
	return lines.Err()
}
