package kv

import (
	"fmt"
	"syscall"
)

// Badger writes through memory maps of files with holes; where the disk has no room for a
// hole, the process dies of SIGBUS. So this much must be free: what a commit writes, and
// the flush and compaction that it may set off, or what Close writes.
const (
	reserve = 64 * mib
	closing = 2 * memtableSize
)

// roomFor refuses to write to a disk that is nearly full. It costs about a microsecond.
func (db *DB) roomFor(need uint64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(db.dir, &fs); err != nil {
		return fmt.Errorf("look for room in %s: %w", db.dir, err)
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	if fs.Blocks == 0 || free >= need { // some file systems do not tell
		return nil
	}
	return fullFault(fmt.Errorf("%s: only %d MiB are left, and %d are kept free", syscall.ENOSPC.Error(), free/mib, need/mib))
}
