package olap

import (
	"context"
	"fmt"
	"strconv"

	"github.com/meshctl/meshctl/internal/record"
)

// A version stands for all that a reader can see of a table: its rows, columns and names.
// Whatever replaces the port gives it a new one, also what changes nothing that is seen, such
// as a roll. Versions of one time that the tables were open mean nothing in another.
//
// It is taken before a reader's transaction begins, and told of a later moment while nobody
// writes. So a table that has the version still has the rows that the reader saw: a commit
// that the reader saw already was put before the later moment, and is another version.

// Versions are those of the tables that there are of these, by "schema.table", and as of
// when each holds.
func (db *DB) Versions(tables []string) (marks map[string]record.Watermark, versions map[string]string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	read := map[string]int64{}
	for _, name := range tables {
		for id, p := range db.ports {
			if name == (TableRef{p.schema, p.views[0]}).String() {
				read[name] = id
			}
		}
	}
	marks = map[string]record.Watermark{}
	for name, id := range read {
		marks[name] = db.ports[id].mark
	}
	return marks, db.versions(read, db.ports)
}

// versions are those of the ports that were read, by the names that they were read under.
func (db *DB) versions(read map[string]int64, ports map[int64]*port) map[string]string {
	list := make(map[string]string, len(read))
	for name, id := range read {
		if p := ports[id]; p != nil {
			list[name] = db.life + "." + strconv.FormatInt(p.version, 10)
		}
	}
	return list
}

// Memory is how many bytes of rows and of what is worked out the database has, on disk too.
func (db *DB) Memory(ctx context.Context) (int64, error) {
	r, err := db.pool.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer db.pool.release(r)
	rows, err := r.rowsOf(ctx, "SELECT coalesce(sum(memory_usage_bytes + temporary_storage_bytes), 0)::BIGINT FROM duckdb_memory()")
	if err != nil {
		return 0, fmt.Errorf("measure a database: %w", err)
	}
	return rows[0][0].(int64), nil
}
