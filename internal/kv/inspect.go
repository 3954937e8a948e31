package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// inspect says whether the tables are such that Badger can open them. With a table whose
// footer leads nowhere it would panic in a goroutine of its own. Tables that the manifest
// does not name are what a crash left; Badger deletes them.
func inspect(dir string, o badger.Options) error {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	manifest, _, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err != nil {
		return err
	}
	for id := range manifest.Tables {
		if err := inspectTable(table.NewFilename(id, dir)); err != nil {
			return err
		}
	}
	return nil
}

// inspectTable follows a table's footer: <index> <index length> <checksum> <checksum length>.
func inspectTable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for _, part := range []string{"checksum", "index"} {
		var b [4]byte
		if end < int64(len(b)) {
			return fmt.Errorf("table %s ends before its %s", filepath.Base(path), part)
		}
		end -= int64(len(b))
		if _, err := f.ReadAt(b[:], end); err != nil {
			return err
		}
		n := int64(binary.BigEndian.Uint32(b[:]))
		if n == 0 || n > end {
			return fmt.Errorf("table %s has no %s", filepath.Base(path), part)
		}
		end -= n
	}
	return nil
}
