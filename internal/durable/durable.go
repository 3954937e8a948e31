// Package durable replaces a small file in one step: after a crash it is either the old
// one or the new one, never a part of either. Digest and Checksum tell whether a large one is whole.
package durable

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// Replace makes path hold what write writes, wholly or not at all. sync asks that it
// survives the machine too, not only the process.
func Replace(path string, sync bool, write func(io.Writer) error) error {
	return replace(path, 0o666, sync, write)
}

func replace(path string, mode os.FileMode, sync bool, write func(io.Writer) error) error {
	tmp, err := os.OpenFile(path+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, mode)
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

// Digest is the SHA-256 of all that r gives, in hex, and how many bytes that is.
func Digest(r io.Reader) (sum string, size int64, err error) {
	h := sha256.New()
	if size, err = io.Copy(h, r); err != nil {
		return "", size, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C of all that r gives, in hex. It finds what a disk did by accident,
// at a tenth of the cost of a Digest or less, and nothing that somebody did on purpose.
func Checksum(r io.Reader) (string, error) {
	h := crc32.New(castagnoli)
	if _, err := io.CopyBuffer(h, r, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%08x", h.Sum32()), nil
}

// Write makes path hold data, synced, and makes its folder where there is none.
func Write(path string, data []byte) error { return writeAs(path, 0o755, 0o666, data) }

// WriteSecret is Write of what nobody but the file's owner may read.
func WriteSecret(path string, data []byte) error {
	// One that a killed process left might be anybody's to read.
	if err := os.Remove(path + ".tmp"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return writeAs(path, 0o700, 0o600, data)
}

func writeAs(path string, folder, file os.FileMode, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), folder); err != nil {
		return err
	}
	return replace(path, file, true, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
