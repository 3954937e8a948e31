package app

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/tpch"
)

// processes is a mesh of processes.
type processes struct {
	binary, dir string
	env         []string
	client      *Client
}

func startProcesses(b *testing.B, tables []tpch.Table) *processes {
	p := &processes{binary: os.Getenv("BENCH_MESHCTL"), dir: b.TempDir()}
	if p.binary == "" {
		b.Fatal("BENCH_MESHCTL must name a meshctl to run")
	}
	p.env = append(os.Environ(), "XDG_STATE_HOME="+p.dir)
	state := filepath.Join(p.dir, "meshctl")
	p.start(b, "hub", "hub", "--data", filepath.Join(p.dir, "hub"), "--port", "-1", "--leaf-port", "-1")
	hub := until(b, func() (r Running, ok bool) {
		running, err := RunningMeshes(state)
		if err != nil || len(running) == 0 {
			return r, false
		}
		return running[0], true
	})
	for i := range tables {
		dir := filepath.Join(p.dir, tables[i].Name)
		yaml := strings.Replace(tables[i].Descriptor(), "spec:\n", "spec:\n  storage: {segmentAge: 2s}\n", 1)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "dataproduct.yaml"), []byte(yaml), 0o644)); err != nil {
			b.Fatal(err)
		}
		p.start(b, tables[i].Name, "run", dir, "--hub", hub.Leaf)
	}
	var err error
	if p.client, err = Dial(b.Context(), ClientOptions{StateDir: state}); err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, p.client)
	until(b, func() (int, bool) {
		all, err := p.client.Catalog(b.Context())
		return 0, err == nil && len(all) == len(tables)
	})
	return p
}

// until asks every so often until it is so.
func until[T any](b *testing.B, is func() (T, bool)) T {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); <-tick.C {
		if v, ok := is(); ok {
			return v
		}
	}
	b.Fatal("waited in vain")
	panic("unreachable")
}

// start runs meshctl until the benchmark ends.
func (p *processes) start(b *testing.B, name string, args ...string) {
	log, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(p.binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, log, log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait(), log.Close()); err != nil {
			b.Errorf("%s: %v", name, err)
		}
	})
}

// bring imports a table, and waits until all of it is in segments.
func (p *processes) bring(b *testing.B, one *olap.Stage, table string) {
	file := tpchFile(b, one, table, p.dir)
	began := time.Now()
	sent, err := p.client.Import(b.Context(), table, file, ImportOptions{})
	if err != nil || sent.Dead > 0 {
		b.Fatalf("import %s: %+v, %v", table, sent, err)
	}
	b.Logf("%-9s %8d rows imported in %v", table, sent.Sent, time.Since(began).Round(time.Millisecond))
	until(b, func() (int, bool) {
		rows := int64(0)
		for _, s := range p.segments(b, table) {
			n, err := olap.CountRows(b.Context(), s, "parquet")
			if err != nil { // it was merged with another meanwhile
				return 0, false
			}
			rows += n
		}
		return 0, rows == int64(sent.Sent)
	})
}

// segments are the Parquet files that a product has.
func (p *processes) segments(b *testing.B, table string) (files []string) {
	err := filepath.WalkDir(filepath.Join(p.dir, table), func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".parquet") {
			files = append(files, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return files
}
