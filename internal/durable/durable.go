// Package durable replaces a small file in one step: after a crash it is either the old
// one or the new one, never a part of either.
package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Replace makes path hold what write writes, wholly or not at all. sync asks that it
// survives the machine too, not only the process.
func Replace(path string, sync bool, write func(io.Writer) error) error {
	tmp, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	err = write(tmp)
	if sync {
		err = errors.Join(err, tmp.Sync())
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), path); err != nil || !sync {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Write makes path hold data, synced, and makes its folder where there is none.
func Write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return Replace(path, true, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
