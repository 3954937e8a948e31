package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/meshctl/meshctl/internal/fault"
)

// permitted is an error unless this process may use all of a data folder. It is asked
// before anything opens a file: a server takes a log that it may not read for one that is
// not there, and would begin a new one in its place.
func permitted(dir, kind string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // another process works in it, or nobody ever did
			return nil
		case e == nil:
			return fault.New(fault.Denied, "choose another folder with --data", "open data folder: %w", err)
		case kind == meshData && path == filepath.Join(dir, "products"): // each asks for its own
			return fs.SkipDir
		}
		if refused := access(path, e); refused != nil {
			return refused
		}
		return err
	})
}

// access is an error unless this process may use a file or folder.
func access(path string, e fs.DirEntry) error {
	mode, do := uint32(unix.R_OK|unix.W_OK), "read and write"
	switch name := filepath.Base(path); {
	case e.IsDir():
		mode |= unix.X_OK
	case !e.Type().IsRegular():
		return nil
	case slices.Contains([]string{markerFile, "LOCK"}, name), slices.Contains([]string{".parquet", ".empty"}, filepath.Ext(name)): // written once
		mode, do = unix.R_OK, "read"
	}
	err := unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EROFS):
		return fault.New(fault.Denied, "mount the volume so that it can be written", "open data folder: %s %s: %w", do, path, err)
	}
	whose := ""
	if info, err := e.Info(); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			whose = fmt.Sprintf(", for it has mode %s and is user %d's", info.Mode(), s.Uid)
		}
	}
	return fault.New(fault.Denied, "give all of the folder to the user that runs meshctl, with chown -R and chmod -R u+rwX",
		"open data folder: user %d may not %s %s%s", os.Geteuid(), do, path, whose)
}
