package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
)

// nobody is who the superuser becomes, who may do everything, to be refused something.
const nobody = 65534

// attempt is what came of starting a product.
type attempt struct {
	Holds string // what its log and its stores have
	Kind  fault.Kind
	Err   string
	Hint  string
}

// runAsNobody starts a product as somebody without privileges, and tells what came of it.
func runAsNobody() error {
	var o childOptions
	if err := json.Unmarshal([]byte(os.Getenv(optionsVar)), &o); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return err
		}
		if err := syscall.Setgid(nobody); err != nil {
			return err
		}
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	ctx := context.Background()
	var a attempt
	p, err := StartProduct(ctx, ProductOptions{
		Dir: o.Dir, Data: o.Data, Version: "test", Env: os.Environ(), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err == nil {
		a.Holds, err = holds(ctx, p)
	}
	if err != nil {
		a.Kind, a.Err, a.Hint = fault.KindOf(err), err.Error(), fault.HintOf(err)
	}
	if p != nil {
		if err := p.Close(ctx); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(a)
}

// holds is how many records the log and the stores of the only port have.
func holds(ctx context.Context, p *Product) (string, error) {
	pt := p.sortedPorts()[0]
	state, err := mesh.State(ctx, p.leaf.Conn(), "", pt.id.Stream())
	if err != nil {
		return "", err
	}
	if err := pt.progress.AwaitVisible(ctx, state.Last); err != nil {
		return "", err
	}
	table, err := pt.table.Stats(ctx)
	if err != nil {
		return "", err
	}
	keys, err := pt.kv.Count(ctx)
	return fmt.Sprintf("log %d, table %d, key-value %d", state.Msgs, table.Rows, keys), err
}

// Who may not read or write a part of a product's data is told which, and what to do; with
// the permission back, all is as it was.
func TestPermissions(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	w := startWorld(t, data, dir)
	w.publish(t, "events", `{"id":1,"text":"one"}`, `{"id":2,"text":"two"}`)
	w.eventually(t, "SELECT count(*) FROM events", "2")
	w.roll(t, "events")
	w.publish(t, "events", `{"id":3,"text":"three"}`)
	w.eventually(t, "SELECT count(*) FROM events", "3")
	w.stop(t)
	data = filepath.Join(data, "products", "events")
	give(t, filepath.Dir(filepath.Dir(filepath.Dir(data))), dir)
	const all = "log 3, table 3, key-value 3"
	if a := try(t, dir, data); a.Holds != all {
		t.Fatalf("at first: %+v", a)
	}
	const stream = "jetstream/jetstream/$G/streams/events-v1"
	for _, part := range []struct {
		path string
		read bool // that is enough
	}{
		{path: "."}, {path: "LOCK", read: true}, {path: markerFile, read: true},
		{path: "contracts"}, {path: "contracts/events-v1.port.json"}, {path: "logic"}, {path: "logic/events-v1.position"},
		{path: "kv"}, {path: "kv/MANIFEST"}, {path: "kv/*1.sst"},
		{path: "table"}, {path: "table/tables.duckdb"}, {path: "table/events-v1"}, {path: "table/events-v1/*.parquet", read: true},
		{path: "jetstream"}, {path: stream}, {path: stream + "/meta.inf"}, {path: stream + "/msgs"}, {path: stream + "/msgs/*.blk"},
	} {
		for _, may := range []fs.FileMode{0, 0o500} {
			t.Run(fmt.Sprintf("%s %o", part.path, may), func(t *testing.T) {
				path := only(t, filepath.Join(data, part.path))
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, may); err != nil {
					t.Fatal(err)
				}
				a := try(t, dir, data)
				if err := os.Chmod(path, info.Mode()); err != nil {
					t.Fatal(err)
				}
				if may != 0 && part.read {
					if a.Holds != all {
						t.Errorf("it need not be written: %+v", a)
					}
				} else if a.Kind != fault.Denied || !strings.Contains(a.Err, path+",") || !strings.Contains(a.Hint, "chown") {
					t.Errorf("%v: %q, hint %q; want what to do about %s", a.Kind, a.Err, a.Hint, path)
				}
				if a := try(t, dir, data); a.Holds != all {
					t.Errorf("afterwards: %+v", a)
				}
			})
		}
	}
}

// only is the one file of a pattern.
func only(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(strings.ReplaceAll(pattern, "$", "\\$"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	return files[0]
}

// give makes folders the unprivileged user's.
func give(t *testing.T, folders ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, nobody, nobody)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// try starts the product without privileges.
func try(t *testing.T, dir, data string) (a attempt) {
	t.Helper()
	options, err := json.Marshal(childOptions{Dir: dir, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"=nobody", optionsVar+"="+string(options))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &a)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, said.String())
	}
	return a
}
