package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// storyCommands are what a story can say beyond testscript's own words:
//
//	exits CODE PROGRAM [ARG…]                     the program ends with exactly that code
//	json FILE PATH [VALUE]                        the JSON of FILE has VALUE (or anything) at PATH
//	until DURATION [-stdout RE] PROGRAM [ARG…]    run it again until it succeeds (and prints RE)
//	freeport NAME                                 $NAME becomes a TCP port that nobody listens on
//	fetch FILE PATH QUERY                         FILE becomes what HTTP answers at the address in stdout's JSON, and QUERY below it
//	terminal FILE PROGRAM [ARG…]                  run it on a terminal and type what FILE says, see cmdTerminal
//	terminate ARG                                 SIGTERM for the background programs that were given ARG
//
// FILE may be stdout or stderr. A PATH is like .items[0].name; a last .# is how many
// there are. VALUE is JSON, or else a string.
func storyCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": cmdExits, "json": cmdJSON, "until": cmdUntil, "freeport": cmdFreeport, "terminate": cmdTerminate, "fetch": cmdFetch,
		"terminal": cmdTerminal,
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH [VALUE]")
	}
	var doc any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc); err != nil {
		ts.Fatalf("%s is not JSON: %v", args[0], err)
	}
	got, err := at(doc, args[1])
	holds := err == nil
	if holds && len(args) == 3 {
		holds = same(got, args[2])
	}
	switch {
	case holds && neg:
		ts.Fatalf("%s is %v, and should not be", args[1], got)
	case !holds && !neg && err != nil:
		ts.Fatalf("%v", err)
	case !holds && !neg:
		text, err := json.Marshal(got)
		ts.Check(err)
		ts.Fatalf("%s is %s, want %s", args[1], text, args[2])
	}
}

// at is the value at path in a JSON document.
func at(v any, path string) (any, error) {
	steps := strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	for i, step := range steps {
		where := strings.Join(steps[:i], ".")
		list, isList := v.([]any)
		if step == "#" && isList {
			return float64(len(list)), nil
		}
		if isList {
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(list) {
				return nil, fmt.Errorf("%q has %d items, no %q", where, len(list), step)
			}
			v = list[n]
			continue
		}
		object, _ := v.(map[string]any)
		next, ok := object[step]
		if !ok {
			return nil, fmt.Errorf("%q has no %q: %v", where, step, v)
		}
		v = next
	}
	return v, nil
}

func same(got any, want string) bool {
	if s, ok := got.(string); ok && s == want {
		return true
	}
	var v any
	if err := json.Unmarshal([]byte(want), &v); err != nil {
		return false
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(v)
	return errA == nil && errB == nil && string(a) == string(b)
}

func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until DURATION [-stdout RE] PROGRAM [ARG…]")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	args = args[1:]
	match := regexp.MustCompile("")
	if args[0] == "-stdout" && len(args) > 2 {
		match, err = regexp.Compile("(?m)" + args[1])
		ts.Check(err)
		args = args[2:]
	}
	deadline := time.After(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(args[0], args[1:]...)
		out := ts.ReadFile("stdout")
		if err == nil && match.MatchString(out) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("not within %s: %v\n%s%s", limit, err, out, ts.ReadFile("stderr"))
		}
	}
}

func cmdFreeport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	// Below the ports that connections get: a server that is started again finds its own free.
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			continue
		}
		ts.Check(l.Close())
		ts.Setenv(args[0], port)
		return
	}
	ts.Fatalf("found no free port")
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fetch FILE PATH QUERY")
	}
	var doc any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &doc))
	base, err := at(doc, args[1])
	ts.Check(err)
	answer, err := http.Get(fmt.Sprint(base) + args[2])
	ts.Check(err)
	body, err := io.ReadAll(answer.Body)
	ts.Check(errors.Join(err, answer.Body.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), body, 0o600))
}

func cmdTerminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: terminate ARG")
	}
	found := false
	for _, cmd := range ts.BackgroundCmds() {
		if slices.Contains(cmd.Args, args[0]) && cmd.ProcessState == nil {
			found = true
			ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		}
	}
	if !found {
		ts.Fatalf("no background program was given %s", args[0])
	}
}
