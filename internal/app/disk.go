package app

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

// disk is the file system that a folder is on.
type disk struct{ free, size uint64 }

func diskOf(dir string) (disk, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return disk{}, err
	}
	return disk{free: uint64(s.Bavail) * uint64(s.Bsize), size: s.Blocks * uint64(s.Bsize)}, nil
}

// bytesBelow is how many bytes the files below a folder have.
func bytesBelow(dir string) (sum uint64) {
	// A file that vanishes during the walk counts nothing.
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			sum += uint64(info.Size())
		}
		return nil
	})
	return sum
}
