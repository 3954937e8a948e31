// Package app joins the adapters to the logic: it opens stores, servers and streams,
// wires them into a running product or a whole mesh, and closes them in reverse order.
// It is also the client side, which asks running products over NATS.
//
// One process holds any number of products; each is its own leaf with its own data
// folder, exactly as when it runs alone, so what works under `up` works in a pod.
package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
)

// dataFormat is the version of the layout below a data folder. It grows when an older
// meshctl could not read what a newer one wrote.
const dataFormat = 1

// The kinds of data folder.
const (
	meshData    = "mesh"
	hubData     = "hub"
	productData = "product"
)

// marker is the file that says that a folder is ours.
type marker struct {
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"` // of the product
	Format int    `json:"format"`
}

const markerFile = "meshctl.json"

// dataDir is a data folder that this process alone works in.
type dataDir struct {
	path string
	lock *flock.Flock
}

// claimData makes dir the data folder of kind and name, or takes it up again. It refuses
// a folder that is in use, holds something else, or was written in a newer format.
func claimData(dir, kind, name string) (*dataDir, error) {
	for _, path := range []string{dir, filepath.Join(dir, markerFile)} { // no more of a folder that may not be ours
		if info, err := os.Lstat(path); err == nil {
			if err := access(path, fs.FileInfoToDirEntry(info)); err != nil {
				return nil, err
			}
		}
	}
	if err := checkForeign(dir, kind, name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	if err := permitted(dir, kind); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "LOCK"))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	if !got {
		return nil, fault.New(fault.Conflict, "stop the other process, or choose another folder with --data",
			"the data folder %s is in use by another meshctl", dir)
	}
	if err := markData(filepath.Join(dir, markerFile), marker{Kind: kind, Name: name, Format: dataFormat}); err != nil {
		return nil, errors.Join(fmt.Errorf("mark data folder: %w", err), lock.Unlock())
	}
	return &dataDir{path: dir, lock: lock}, nil
}

// markData writes the marker, unless it says just that.
func markData(path string, m marker) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	had, err := os.ReadFile(path)
	if err == nil && bytes.Equal(had, data) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.Write(path, data)
}

// checkForeign refuses a folder that is not ours to write in.
func checkForeign(dir, kind, name string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(files) == 0 {
		return nil
	}
	if err != nil {
		return fault.New(fault.Invalid, "choose another folder with --data", "open data folder: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		if len(files) == 1 && files[0].Name() == "LOCK" { // killed between lock and marker
			return nil
		}
		return fault.New(fault.Conflict, "choose an empty folder with --data",
			"the folder %s holds files that are not meshctl's, such as %s", dir, files[0].Name())
	}
	if err != nil {
		return fmt.Errorf("open data folder: %w", err)
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil {
		return fault.New(fault.Conflict, fmt.Sprintf(`if it is the data of this %s, write {"kind":%q,"name":%q} into that file`, kind, kind, name),
			"read %s: %w", filepath.Join(dir, markerFile), err)
	}
	switch {
	case m.Format > dataFormat:
		return fault.New(fault.Conflict, "use a newer meshctl",
			"the data folder %s has format %d, this meshctl knows up to %d", dir, m.Format, dataFormat)
	case m.Kind != kind:
		return fault.New(fault.Conflict, "choose another folder with --data",
			"the folder %s holds the data of a %s, not of a %s", dir, m.Kind, kind)
	case m.Name != name:
		return fault.New(fault.Conflict, "choose another folder with --data",
			"the folder %s holds the data of product %s, not of %s", dir, m.Name, name)
	}
	return nil
}

func (d *dataDir) sub(names ...string) string {
	return filepath.Join(append([]string{d.path}, names...)...)
}

func (d *dataDir) release() error { return d.lock.Unlock() }
