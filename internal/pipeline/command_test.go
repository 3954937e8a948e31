package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// TestMain is the test, or a program that it runs.
func TestMain(m *testing.M) {
	if name := os.Getenv("PIPELINE_PROGRAM"); name != "" {
		program(name)
	}
	os.Exit(m.Run())
}

// program is logic of many kinds, each with a flaw of its own. It does not return.
func program(name string) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	if name == "broken" {
		fmt.Fprintln(os.Stderr, "no module named pandas")
		os.Exit(3)
	}
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, `{"$batch"`):
			continue
		case strings.HasPrefix(line, `{"$end"`):
			if name == "silent" {
				time.Sleep(time.Hour) // until it is killed
			}
			fmt.Println(line)
			if name == "once" {
				os.Exit(0)
			}
			continue
		}
		flaw(name, line)
	}
	if name == "stays" || name == "parent" {
		time.Sleep(time.Hour) // until it is killed
	}
	os.Exit(0)
}

func flaw(name, line string) {
	switch {
	case name == "dies" && strings.Contains(line, "poison"):
		fmt.Fprintln(os.Stderr, "KeyError: 'total'")
		os.Exit(1)
	case name == "rejects" && strings.Contains(line, "poison"):
		fmt.Printf(`{"$reject":%s,"reason":"I do not like it"}`+"\n", line)
	case name == "wrong end":
		fmt.Println(`{ "$end": 99 }`)
	case name == "bad control":
		fmt.Println(`{"$reject`)
	case name == "huge":
		fmt.Println(strings.Repeat("x", maxCommandLine+1))
	case name == "talks":
		fmt.Fprintln(os.Stderr, "seen "+line)
		fmt.Fprintln(os.Stderr, strings.Repeat("y", 1<<20))
		fmt.Println(line)
	case name == "parent" || name == "orphan":
		child := exec.Command("sleep", "3600")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Printf(`{"pid":%d}`+"\n", child.Process.Pid)
	case name == "environment":
		fmt.Printf(`{"a":%q,"b":%q}`+"\n", os.Getenv("A"), os.Getenv("B"))
	default:
		fmt.Println(line)
	}
}

func command(t *testing.T, name string) *Command {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &Command{
		Spec: product.CommandLogic{Run: []string{exe}, BatchSize: 2, Timeout: product.Duration(time.Minute)},
		Env:  append(os.Environ(), "PIPELINE_PROGRAM="+name, "GOCOVERDIR="+t.TempDir()), Dir: t.TempDir(), Logger: quiet,
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func items(lines ...string) (out []Item) {
	for i, l := range lines {
		out = append(out, Item{Value: []byte(l), Origin: fmt.Sprintf("in:%d:1", i+1)})
	}
	return out
}

func TestCommandFrames(t *testing.T) {
	for _, name := range []string{"echo", "once"} {
		c := command(t, name)
		emitted, rejected, err := c.Apply(t.Context(), 1, "in", nil)
		if err != nil || len(emitted)+len(rejected) > 0 {
			t.Fatalf("%s: an empty batch: %v %v %v", name, emitted, rejected, err)
		}
		in := append(items(`{"a":1}`, "{\n\"a\": 2}", `[3]`, `{"a":`, `{"$end":1}`, ` { "$batch": 7}`, ``), Item{Delete: []string{"x/y", "%"}})
		emitted, rejected, err = c.Apply(t.Context(), 2, "in", in)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, values(emitted), []string{`{"a":1}`, `{ "a": 2}`, `{"$delete":"x%2Fy/%25"}`})
		equal(t, name+" rejected", reasons(rejected), []string{
			"in:3:1 [3]: input: the record is not a JSON object", `in:4:1 {"a":: input: the record is not a JSON object`,
			`in:5:1 {"$end":1}: input: the field $end is not for records`,
			`in:6:1  { "$batch": 7}: input: the field $batch is not for records`,
			"in:7:1 : input: the record is not a JSON object",
		})
	}
}

func TestCommandCat(t *testing.T) {
	c := command(t, "")
	c.Spec.Run = []string{"cat"}
	emitted, _, err := c.Apply(t.Context(), 1, "in", items(`{"a":1}`, `{"a":2}`, `{"a":3}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "cat", values(emitted), []string{`{"a":1}`, `{"a":2}`, `{"a":3}`})
}

func TestCommandRejects(t *testing.T) {
	emitted, rejected, err := command(t, "rejects").Apply(t.Context(), 5, "in", items(`{"a":1}`, `{"a":"poison"}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "emitted", values(emitted), []string{`{"a":1}`})
	equal(t, "rejected", reasons(rejected), []string{`in:2:1 {"a":"poison"}: I do not like it`})
}

func TestCommandFailures(t *testing.T) {
	for name, want := range map[string]string{
		"broken":      "it ended before it had answered the batch: exit status 3: no module named pandas",
		"wrong end":   `it wrote "{ \"$end\": 99 }", not the end of batch 1`,
		"bad control": `it wrote "{\"$reject": unexpected end of JSON input`,
		"huge":        "it wrote a line of more than 8388608 bytes",
		"silent":      "it has not answered a batch of 2 records within 300ms",
	} {
		c := command(t, name)
		if name == "silent" {
			c.Spec.Timeout = product.Duration(300 * time.Millisecond)
		}
		_, _, err := c.Apply(t.Context(), 1, "in", items(`{"a":1}`, `{"a":2}`))
		if !isBatch(err) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want ErrBatch and %s", name, err, want)
		}
		if c.process != nil {
			t.Errorf("%s: the program goes on", name)
		}
	}
}

// Promise 6 with a real program that dies of one record.
func TestPromise6ProgramThatDiesOfARecord(t *testing.T) {
	iso := Isolate{Inner: command(t, "dies"), Tries: 2, Pause: time.Millisecond, Logger: quiet}
	emitted, rejected, err := iso.Apply(t.Context(), 1, "in", items(`{"a":1}`, `{"a":2}`, `{"a":"poison"}`, `{"a":4}`, `{"a":5}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "emitted", values(emitted), []string{`{"a":1}`, `{"a":2}`, `{"a":4}`, `{"a":5}`})
	if len(rejected) != 1 || rejected[0].Origin != "in:3:1" || !strings.HasSuffix(rejected[0].Reason, "exit status 1: KeyError: 'total'") {
		t.Errorf("rejected: %q", reasons(rejected))
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	c := command(t, "")
	c.Spec.Run = []string{"no-such-program-anywhere"}
	iso := Isolate{Inner: c, Tries: 2, Logger: quiet}
	_, rejected, err := iso.Apply(t.Context(), 1, "in", items(`{"a":1}`))
	if isBatch(err) || fault.KindOf(err) != fault.Invalid || len(rejected) > 0 || !strings.Contains(err.Error(), "no-such-program-anywhere") {
		t.Errorf("%d rejected, error %v", len(rejected), err)
	}
}

func TestCommandFind(t *testing.T) {
	c := &Command{Dir: t.TempDir()}
	for name, mode := range map[string]os.FileMode{"program": 0o755, "text": 0o644} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for run, there := range map[string]bool{
		"cat": true, "./program": true, filepath.Join(c.Dir, "program"): true,
		"no-such-program-anywhere": false, "./nothing": false, "./text": false, "program": false,
	} {
		c.Spec.Run = []string{run}
		switch err := c.Find(); {
		case there && err != nil:
			t.Error(err)
		case !there && (fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" || !strings.Contains(err.Error(), run[1:])):
			t.Errorf("%s: got %v", run, err)
		}
	}
}

func TestCommandStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, _, err := command(t, "silent").Apply(ctx, 1, "in", items(`{"a":1}`))
	if !errors.Is(err, context.Canceled) || isBatch(err) {
		t.Errorf("%v, want the context's error", err)
	}
}

func TestCommandLogsStderr(t *testing.T) {
	var log bytes.Buffer
	c := command(t, "talks")
	c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	for i := range 3 {
		if _, _, err := c.Apply(t.Context(), uint64(i+1), "in", items(fmt.Sprintf(`{"a":%d}`, i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		text, err := json.Marshal(fmt.Sprintf(`seen {"a":%d}`, i))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), string(text)) {
			t.Errorf("line %d is not in the log", i)
		}
	}
}

func TestCommandCloseEndsTheProgramAndItsChildren(t *testing.T) {
	for _, name := range []string{"stays", "parent", "orphan"} {
		c := command(t, name)
		emitted, _, err := c.Apply(t.Context(), 1, "in", items(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		pids := []int{c.process.cmd.Process.Pid}
		var child struct{ PID int }
		if err := json.Unmarshal(emitted[0].Value, &child); err == nil && child.PID > 0 {
			pids = append(pids, child.PID)
		}
		if name != "stays" && len(pids) != 2 {
			t.Fatalf("no child: %s", emitted[0].Value)
		}
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: close took %s", name, took)
		}
		for _, pid := range pids {
			gone(t, pid)
		}
	}
}

// gone waits until a process has ended; a zombie that nobody reaps has.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestCommandEnvironment(t *testing.T) {
	c := command(t, "environment")
	c.Env = append(c.Env, "A=1", "B=1")
	c.Spec.Env = map[string]string{"B": "2"}
	emitted, _, err := c.Apply(t.Context(), 1, "in", items(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "environment", values(emitted), []string{`{"a":"1","b":"2"}`})
}

// A program writes what it rejects in its own way; the letter is the record as it came.
func TestRejectedRecordsAreTraced(t *testing.T) {
	f := frame{7, "in", []Item{
		{Value: []byte(`{"a": 1.50, "b":"é"}`), Origin: "in:1:1"}, {Delete: []string{"x", "y"}, Origin: "in:2:1"},
		{Value: []byte(`{"a":1}`), Origin: "in:3:1"}, {Value: []byte(`{"a":1}`), Origin: "in:4:1"},
	}}
	rejected := []Rejected{
		{Value: []byte(`{"b":"\u00e9","a":1.50}`)}, {Value: []byte(`{"$delete":"x,y"}`)},
		{Value: []byte(`{"a":1}`)}, {Value: []byte(`{"a":1}`)}, {Value: []byte(`{"made":"up"}`), Origin: "logic:7"},
	}
	line, err := f.items[1].line()
	if err != nil {
		t.Fatal(err)
	}
	rejected[1].Value = line
	if err := f.trace(rejected); err != nil {
		t.Fatal(err)
	}
	equal(t, "rejected", reasons(rejected), []string{
		`in:1:1 {"a": 1.50, "b":"é"}: `, `in:2:1 {"$delete":["x","y"]}: `, `in:3:1 {"a":1}: `, `in:4:1 {"a":1}: `, `logic:7 {"made":"up"}: `,
	})
	if rejected[4].Input != "in" {
		t.Errorf("the input of what the program made up is %q", rejected[4].Input)
	}
}
