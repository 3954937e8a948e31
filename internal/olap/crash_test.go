package olap

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// crashDir, in the environment, makes TestCrashChild the process that is killed.
const crashDir = "OLAP_CRASH_DIR"

const (
	crashBatch = 50
	crashKeys  = 311
)

// crashRow is the record of that sequence: every seventh deletes its key.
func crashRow(seq record.Seq) row {
	return row{seq, fmt.Sprint("key", seq%crashKeys), int64(seq), seq%7 == 0}
}

// TestCrashChild commits, rolls and compacts until it is killed. It is empty unless
// TestKilledProcessLosesAndDoublesNothing starts it.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return
	}
	db := openDB(t, dir)
	tables := []*Table{openTable(t, db, eventSpec()), openTable(t, db, stateSpec())}
	for _, table := range tables {
		go func() { // dies with the process
			for {
				if err := table.Roll(context.Background()); err != nil {
					fmt.Println("error", err)
				}
				if err := table.Compact(context.Background()); err != nil {
					fmt.Println("error", err)
				}
			}
		}()
	}
	for {
		for i, table := range tables {
			seq, err := table.Position(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var rows []row
			for j := range record.Seq(crashBatch) {
				r := crashRow(seq + j + 1)
				r.gone = r.gone && i == 1
				rows = append(rows, r)
			}
			commit(t, table, seq+crashBatch, rows...)
			fmt.Println("committed", i, seq+crashBatch)
		}
	}
}

func TestKilledProcessLosesAndDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	var known [2]record.Seq // what the child said it had committed
	for round := range 12 {
		crashRound(t, dir, time.Duration(60+37*round)*time.Millisecond, &known)
		db, err := Open(t.Context(), dir, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i, spec := range []TableSpec{eventSpec(), stateSpec()} {
			table := openTable(t, db, spec)
			seq, err := table.Position(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if seq < known[i] {
				t.Fatalf("round %d: %s is at %d, but %d was committed", round, spec.Name, seq, known[i])
			}
			equal(t, fmt.Sprintf("round %d: %s at %d", round, spec.Name, seq),
				lines(t, db, "SELECT id, n FROM trips."+spec.Name+" ORDER BY n"), crashModel(seq, spec.State))
			checkFiles(t, dir, table)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if known[0] < 10*crashBatch || known[1] < 10*crashBatch {
		t.Fatalf("the children committed only %v: too little to mean anything", known)
	}
}

// crashRound starts a child and kills it some time after its first commit.
func crashRound(t *testing.T, dir string, after time.Duration, known *[2]record.Seq) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var killer *time.Timer
	for in := bufio.NewScanner(out); in.Scan(); {
		var i int
		var seq record.Seq
		if strings.HasPrefix(in.Text(), "error") || strings.HasPrefix(in.Text(), "---") {
			t.Errorf("child: %s", in.Text())
		}
		if n, _ := fmt.Sscanf(in.Text(), "committed %d %d", &i, &seq); n != 2 {
			continue
		}
		known[i] = seq
		if killer == nil {
			killer = time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
	}
	if err := child.Wait(); err == nil || killer == nil {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func crashModel(seq record.Seq, state bool) []string {
	var all []row
	for s := record.Seq(1); s <= seq; s++ {
		all = append(all, crashRow(s))
	}
	var out []string
	for i, r := range all {
		later := state && i+crashKeys < len(all)
		if later || state && r.gone {
			continue
		}
		out = append(out, fmt.Sprintf("%s|%d", r.id, r.n))
	}
	return out
}

// checkFiles says that the table's folder has its segments and nothing else.
func checkFiles(t *testing.T, dir string, table *Table) {
	t.Helper()
	var want []string
	for _, s := range table.snapshot().segments {
		want = append(want, s.file)
	}
	got := entries(t, filepath.Join(dir, table.spec.Folder))
	if len(got) != len(want) {
		t.Fatalf("%s has the files %v; want %v", table.spec.Folder, got, want)
	}
}

// startHolder starts a child that has dir open until the test ends.
func startHolder(t *testing.T, dir string) error {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	read := make(chan struct{})
	t.Cleanup(func() {
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-read
		_ = child.Wait() // it was killed
	})
	in := bufio.NewScanner(out)
	for in.Scan() && !strings.HasPrefix(in.Text(), "committed") {
	}
	go func() {
		defer close(read)
		for in.Scan() { // so that the child never blocks
		}
	}()
	return nil
}
