// Package ducktest is DuckDB as it comes, to measure meshctl's own against.
package ducktest

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the driver "duckdb"
)

// DB is a database in memory.
type DB struct{ db *sql.DB }

// Open opens one, until the test ends.
func Open(t testing.TB) *DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &DB{db}
}

// Time runs one statement, reads all of its answer and is how long that took.
func (d *DB) Time(t testing.TB, statement string) time.Duration {
	t.Helper()
	began := time.Now()
	rows, err := d.db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	for rows.Next() {
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return time.Since(began)
}
