package kv

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

const (
	mib = 1 << 20

	// The memtable's size does not follow MemoryLimit: after a crash Badger reads a log that
	// the last run's memtable wrote into a memtable of this run, and dies if that is smaller.
	memtableSize = 16 * mib
	memtables    = 2 // full ones waiting for the disk, besides the one being filled
	// A memtable's arena has room for one transaction more than its size.
	memtableBytes = (memtables + 1) * (memtableSize + memtableSize*30/100)

	leastCache = 8 * mib

	// Keys of a batch come in any order, so a compaction out of level 0 rewrites most of the
	// level below: the more it takes along, the less often that happens. 16 instead of
	// Badger's 5 tables took a third off the CPU time of a commit; a get asks a Bloom filter
	// for each.
	levelZeroTables      = 16
	levelZeroTablesStall = 32

	// Badger builds several tables at once, each in memory of seven to fourteen times its
	// compressed size, and by default doubles the size with each level.
	tableSize       = 1 * mib
	tableMultiplier = 1

	// Only larger values live in the value log. Compactions copy all others around, but they
	// are also what finds garbage, and pointers to a value log hardly ever fill a memtable:
	// a state port of 100 kB values would pile up gigabytes of garbage before the first one.
	valueThreshold = 1 * mib
	// A value cannot be larger than a value log file. NATS carries 64 MiB at most.
	valueLogFile = 128 * mib
)

func settings(dir string, o Options) badger.Options {
	limit := o.MemoryLimit
	if limit == 0 {
		limit = 128 * mib
	}
	cache := max(leastCache, (limit-memtableBytes)/2)
	b := badger.DefaultOptions(dir).
		WithLogger(logger{o.Logger, newPacer(longestPause)}).
		WithMetricsEnabled(false).
		WithSyncWrites(false).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(memtableSize).
		WithNumMemtables(memtables).
		WithBlockCacheSize(cache).
		WithIndexCacheSize(cache).
		WithCompression(options.Snappy).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithNumCompactors(2).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLogFile).
		WithNumLevelZeroTables(levelZeroTables).
		WithNumLevelZeroTablesStall(levelZeroTablesStall).
		WithBaseTableSize(tableSize)
	b.TableSizeMultiplier = tableMultiplier
	return b
}

// logger hands Badger's messages to slog, one level down: its "info" is a diary.
type logger struct {
	to   *slog.Logger
	pace *pacer
}

func (l logger) Errorf(format string, args ...any)   { l.log((*slog.Logger).Error, format, args) }
func (l logger) Warningf(format string, args ...any) { l.log((*slog.Logger).Warn, format, args) }
func (l logger) Infof(format string, args ...any)    { l.log((*slog.Logger).Debug, format, args) }
func (l logger) Debugf(format string, _ ...any)      { l.pace.heard(format) }

func (l logger) log(write func(*slog.Logger, string, ...any), format string, args []any) {
	if l.to != nil {
		write(l.to, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
