package olap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/meshctl/meshctl/internal/fault"
)

const rebuildHint = "run meshctl rebuild PRODUCT --table"

// ErrDamaged is in the chain of an error when the files are to blame for certain: not the
// disk, nor memory, nor another process. Only new tables in their place help.
var ErrDamaged = errors.New("tables are damaged")

// damaged is an error that is ErrDamaged too, without a word more.
type damaged struct{ error }

func (d damaged) Unwrap() []error { return []error{d.error, ErrDamaged} }

func damage(err error) error {
	return &fault.Error{Kind: fault.Internal, Hint: rebuildHint, Err: damaged{err}}
}

// What DuckDB says of a file that does not hold what was written to it.
var ofDamage = []string{
	"Corrupt database file", "Corrupt WAL file", "not a valid DuckDB database file", "Could not read enough bytes from file",
	"Failure while replaying WAL file", "Failed to deserialize", "No files found that match the pattern", "No magic bytes found at end of file",
	"TProtocolException", "ZSTD Decompression failure", "Payload value bigger than allowed", "Out of buffer", "don't know what type",
}

// passing are the causes that have nothing to do with what the files hold.
var passing = []string{
	syscall.EIO.Error(), syscall.EMFILE.Error(), syscall.ENFILE.Error(), syscall.ENOMEM.Error(), syscall.EROFS.Error(),
	syscall.EDQUOT.Error(), syscall.EFBIG.Error(), syscall.ESTALE.Error(), syscall.ENOSPC.Error(), syscall.EACCES.Error(),
	"Out of Memory", "out of memory",
}

// blamed is err as ErrDamaged where DuckDB says so.
func blamed(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) {
		return err
	}
	text := err.Error()
	for _, s := range passing {
		if containsFold(text, s) {
			return err
		}
	}
	for _, s := range ofDamage {
		if strings.Contains(text, s) {
			return damage(err)
		}
	}
	return err
}

func containsFold(s, sub string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(sub))
}

// openFault says why the database at path did not open.
func openFault(path string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "Conflicting lock"), strings.Contains(text, "Could not set lock"):
		return fault.New(fault.Conflict, "stop the other process that runs this product", "open %s: another process has it open", path)
	case strings.Contains(text, "Trying to read a database file with version number"):
		return fault.New(fault.Conflict, "use a newer meshctl", "open %s: it was written by a newer DuckDB", path)
	case containsFold(text, syscall.ENOSPC.Error()):
		return fault.New(fault.Unavailable, "free space on the product's volume", "open %s: %w", path, err)
	}
	if first, _, long := strings.Cut(text, "\n"); long { // the rest is a stack trace, or advice for another place
		err = errors.New(first)
	}
	return blamed(fmt.Errorf("open %s: %w", path, err))
}

// inspect says whether the file is one of DuckDB's. DuckDB takes some others for a
// wish to install an extension.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var head [12]byte
	switch _, err := io.ReadFull(f, head[:]); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damage(fmt.Errorf("open %s: it ends in its first line", path))
	case err != nil:
		return fmt.Errorf("open %s: %w", path, err)
	case string(head[8:]) != "DUCK":
		return damage(fmt.Errorf("open %s: it is not a DuckDB file", path))
	}
	return nil
}

// inspectSegments says whether the files are there as they were written, by their length
// and their end.
func (db *DB) inspectSegments(p *port) error {
	for _, s := range p.segments {
		path := filepath.Join(db.dir, p.folder, s.file)
		if db.cache != nil && named(s.file) { // elsewhere too, so it may be missing here
			if err := db.cache.keep(p.folder+"/"+s.file, s.bytes); err != nil {
				return err
			}
			continue
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return damage(fmt.Errorf("segment %s is missing", path))
		}
		if err != nil {
			return err
		}
		err = inspectSegment(f, s.bytes)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func inspectSegment(f *os.File, size int64) error {
	const magic = "PAR1"
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size || size < int64(len(magic)) {
		return damage(fmt.Errorf("segment %s has %d bytes instead of %d", f.Name(), info.Size(), size))
	}
	var end [len(magic)]byte
	if _, err := f.ReadAt(end[:], size-int64(len(magic))); err != nil {
		return err
	}
	if string(end[:]) != magic {
		return damage(fmt.Errorf("segment %s does not end like a Parquet file", f.Name()))
	}
	return nil
}
