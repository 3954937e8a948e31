package kv_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
)

// victimDir tells the test binary to be the process that is killed, and where.
const victimDir = "KV_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim commits batches until it is killed, and prints each position it was promised.
func victim(dir string) error {
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := context.Background()
	s := db.Store("orders-v1")
	for {
		at, err := s.Position(ctx)
		if err != nil {
			return err
		}
		n := record.Seq(rand.IntN(400))
		if rand.IntN(8) == 0 {
			n = 15_000 // more than one transaction
		}
		upTo := at + 1 + n
		if err := s.Commit(ctx, record.Batch{Records: logRecords(at+1, upTo)}, upTo); err != nil {
			return err
		}
		fmt.Println(upTo)
	}
}

// logRecords are the records of a made-up log in [from, to]: puts and deletes of 3,000
// keys, now and then a value that goes to the value log, and gaps.
func logRecords(from, to record.Seq) (records []record.Record) {
	for seq := from; seq <= to; seq++ {
		x := uint64(seq) * 0x9e3779b97f4a7c15 >> 20
		if x%11 == 0 {
			continue
		}
		r := record.Record{Seq: seq, Key: record.NewKey(int64(x % 3000))}
		switch {
		case x%5 == 0:
			r.Deleted = true
		case x%3001 == 0:
			r.Value = fmt.Appendf(nil, `{"seq":%d,"text":"%s"}`, seq, strings.Repeat("v", 1<<20))
		default:
			r.Value = fmt.Appendf(nil, `{"seq":%d}`, seq)
		}
		records = append(records, r)
	}
	return records
}

func TestKill(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	state := map[string]string{}
	var before record.Seq
	for round := range 12 {
		promised := runVictim(t, exe, dir, time.Duration(rand.IntN(250))*time.Millisecond)

		db, err := kv.Open(dir, kv.Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		at, err := db.Store("orders-v1").Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if at < promised {
			t.Fatalf("round %d: the store is back at %d; %d was committed", round, at, promised)
		}
		for _, r := range logRecords(before+1, at) {
			if r.Deleted {
				delete(state, string(r.Key))
			} else {
				state[string(r.Key)] = string(r.Value)
			}
		}
		before = at
		expectState(t, db.Store("orders-v1"), state)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("12 kills, the last at %d", before)
}

// runVictim kills the child a while after its first commit, and returns the last position
// that it printed.
func runVictim(t *testing.T, exe, dir string, after time.Duration) (promised record.Seq) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscan(lines.Text(), &promised); err != nil {
			t.Errorf("the child printed %q", lines.Text())
		}
		if kill == nil {
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || complaint.Len() > 0 || promised == 0 {
		t.Fatalf("the child ended by itself: %v\n%s", err, complaint.String())
	}
	kill.Stop()
	return promised
}

func expectState(t *testing.T, s *kv.Store, state map[string]string) {
	t.Helper()
	n := 0
	err := s.Scan(t.Context(), kv.Range{}, func(r record.Record) error {
		n++
		if want, ok := state[string(r.Key)]; !ok || want != string(r.Value) {
			return fmt.Errorf("key %s holds record %d, %.40q; want %.40q", r.Key, r.Seq, r.Value, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != len(state) {
		t.Fatalf("there are %d keys; want %d", n, len(state))
	}
}
