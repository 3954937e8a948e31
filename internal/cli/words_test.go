package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/shell"
)

// The words that the shell completes are those of the DuckDB that is linked.
func TestShellKnowsDuckDBsWords(t *testing.T) {
	db, err := olap.OpenMemory(t.Context(), olap.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	words := func(sql string) (all []string) {
		t.Helper()
		rows, err := db.Query(t.Context(), olap.Query{SQL: sql})
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for {
			b, err := rows.Next(context.Background())
			if errors.Is(err, io.EOF) {
				return all
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(b.NumRows()) {
				all = append(all, strings.Clone(b.Column(0).(*array.String).Value(i)))
			}
			b.Release()
		}
	}
	const listed = "SELECT keyword_name FROM duckdb_keywords()"
	for _, c := range []struct {
		name, sql string
		words     []string
		all       bool
	}{
		{"keywords", listed, shell.Keywords(), false},
		{"reserved", listed + " WHERE keyword_category IN ('reserved', 'type_function') ORDER BY 1", shell.Reserved(), true},
		{"functions", "SELECT DISTINCT function_name FROM duckdb_functions()", shell.Functions(), false},
	} {
		known := words(c.sql)
		if !slices.IsSorted(c.words) || len(c.words) < 100 || c.all && !slices.Equal(c.words, known) {
			t.Errorf("%s: %d words, of %d; they are to be in order", c.name, len(c.words), len(known))
		}
		for _, w := range c.words {
			if !slices.Contains(known, w) {
				t.Errorf("%s: DuckDB has no %q", c.name, w)
			}
		}
	}
}
