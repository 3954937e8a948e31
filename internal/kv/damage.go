package kv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/meshctl/meshctl/internal/fault"
)

const rebuildHint = "run meshctl rebuild PRODUCT --kv"

// ErrDamaged is in the chain of Open's error when the files are to blame for certain: not
// the disk, nor memory, nor another process. Only a new database in their place helps.
var ErrDamaged = errors.New("key-value store is damaged")

// damaged is an error that is ErrDamaged too, without a word more.
type damaged struct{ error }

func (d damaged) Unwrap() []error { return []error{d.error, ErrDamaged} }

// passing are the causes that have nothing to do with what the files hold.
var passing = []syscall.Errno{
	syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EROFS, syscall.EDQUOT, syscall.EFBIG, syscall.ESTALE,
}

// openFault says why Badger did not open. Badger flattens its causes to text.
func openFault(dir string, err error) error {
	text := err.Error()
	for _, errno := range passing {
		if strings.Contains(text, errno.Error()) {
			return fault.New(fault.Unavailable, "look after the machine, then start the product again",
				"open key-value store %s: %w", dir, err)
		}
	}
	switch {
	case strings.Contains(text, "Another process is using this Badger database"):
		return fault.New(fault.Conflict, "stop the other process that runs this product",
			"open key-value store: %s is in use by another process", dir)
	case errors.Is(err, fs.ErrPermission) || strings.Contains(text, syscall.EACCES.Error()):
		return fault.New(fault.Denied, "make the product's folder writable", "open key-value store %s: %w", dir, err)
	case strings.Contains(text, syscall.ENOSPC.Error()):
		return fullFault(fmt.Errorf("open key-value store %s: %w", dir, err))
	}
	return damage(damaged{fmt.Errorf("open key-value store %s: %w", dir, err)})
}

// writeFault is for errors of writing: a full disk heals by itself, damage does not.
func writeFault(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.Contains(err.Error(), syscall.ENOSPC.Error()):
		return fullFault(err)
	}
	return damage(err)
}

func fullFault(err error) error {
	return &fault.Error{Kind: fault.Unavailable, Hint: "free space on the product's volume", Err: err}
}

func damage(err error) error {
	return &fault.Error{Kind: fault.Internal, Hint: rebuildHint, Err: err}
}

// Remove deletes the database in dir, damaged or not, so that Open makes a new one which
// the log fills again. It deletes Badger's files only, and refuses a database in use.
func Remove(dir string) error {
	lock, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove key-value store: %w", err)
	}
	defer lock.Close()
	// Badger's own lock is this one.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fault.New(fault.Conflict, "stop the product first", "remove key-value store: %s is in use", dir)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove key-value store: %w", err)
	}
	for _, f := range files {
		if !badgerFile(f.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return fmt.Errorf("remove key-value store: %w", err)
		}
	}
	return nil
}

func badgerFile(name string) bool {
	switch filepath.Ext(name) {
	case ".sst", ".mem", ".vlog":
		return true
	}
	switch name {
	case "MANIFEST", "MANIFEST-REWRITE", "KEYREGISTRY", "REWRITE-KEYREGISTRY", "DISCARD", "LOCK":
		return true
	}
	return false
}
