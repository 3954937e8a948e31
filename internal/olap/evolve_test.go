package olap

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// wider is spec with a column between the two that it has.
func wider(spec TableSpec) TableSpec {
	f := tripSchema.Fields()
	spec.Columns = arrow.NewSchema([]arrow.Field{f[0], {Name: "note", Type: arrow.BinaryTypes.String, Nullable: true}, f[1]}, nil)
	return spec
}

// widen is b with that column, "new" in every row.
func widen(b record.Batch) record.Batch {
	notes := array.NewStringBuilder(memory.DefaultAllocator)
	for range b.Records {
		notes.Append("new")
	}
	c := b.Columns
	b.Columns = array.NewRecordBatch(wider(TableSpec{}).Columns, []arrow.Array{c.Column(0), notes.NewArray(), c.Column(1)}, c.NumRows())
	return b
}

func TestNewColumnIsNullInOlderRows(t *testing.T) {
	for name, spec := range map[string]TableSpec{"event": eventSpec(), "state": stateSpec()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := openDB(t, dir)
			table := openTable(t, db, spec)
			commit(t, table, 1, row{1, "a", 1, false})
			if err := table.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
			commit(t, table, 2, row{2, "b", 2, false})
			table = openTable(t, db, wider(spec))
			query := "SELECT * FROM " + spec.Name + " ORDER BY n"
			equal(t, "old rows", lines(t, db, query), []string{"a|(null)|1", "b|(null)|2"})
			if err := table.Commit(t.Context(), widen(batch(row{3, "c", 3, false})), 3); err != nil {
				t.Fatal(err)
			}
			want := []string{"a|(null)|1", "b|(null)|2", "c|new|3"}
			equal(t, "rows", lines(t, db, query), want)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openDB(t, dir)
			table = openTable(t, db, wider(spec))
			for range 2 {
				if err := table.Roll(t.Context()); err != nil {
					t.Fatal(err)
				}
				equal(t, "rows in segments", lines(t, db, query), want)
				if err := table.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			stats, err := table.Stats(t.Context())
			if err != nil || stats.Segments != 1 || stats.Rows != 3 || stats.TailRows != 0 {
				t.Fatalf("Stats = %+v, %v", stats, err)
			}
		})
	}
}

func TestOtherChangesAreConflicts(t *testing.T) {
	db := openDB(t, t.TempDir())
	table := openTable(t, db, stateSpec())
	commit(t, table, 1, row{1, "a", 1, false})
	f := tripSchema.Fields()
	for name, change := range map[string]func(*TableSpec){
		"type":   func(s *TableSpec) { s.State = false },
		"key":    func(s *TableSpec) { s.Key = []string{"n"} },
		"folder": func(s *TableSpec) { s.Folder = "elsewhere" },
		"gone":   func(s *TableSpec) { s.Columns = arrow.NewSchema(f[:1], nil) },
		"required": func(s *TableSpec) {
			s.Columns = arrow.NewSchema([]arrow.Field{f[0], f[1], {Name: "x", Type: f[1].Type}}, nil)
		},
		"retyped": func(s *TableSpec) {
			s.Columns = arrow.NewSchema([]arrow.Field{f[0], {Name: "n", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
		},
	} {
		spec := stateSpec()
		change(&spec)
		if _, err := db.Table(t.Context(), spec); fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
			t.Errorf("%s: %v; want a conflict with a hint", name, err)
		}
	}
	equal(t, "rows", lines(t, db, "SELECT id, n FROM last"), []string{"a|1"})
	if err := db.Forget(t.Context(), "trips", "last"); err != nil {
		t.Fatal(err)
	}
	spec := stateSpec()
	spec.State = false
	commit(t, openTable(t, db, spec), 1, row{1, "b", 1, false})
	equal(t, "rows after Forget", lines(t, db, "SELECT id, n FROM last"), []string{"b|1"})
}

func TestColumnsThatCannotBeAreInvalid(t *testing.T) {
	db := openDB(t, t.TempDir())
	text := arrow.BinaryTypes.String
	for name, fields := range map[string][]arrow.Field{
		"ours": {{Name: "id", Type: text}, {Name: "_SEQ", Type: text}},
		"case": {{Name: "id", Type: text}, {Name: "Id", Type: text}},
		"key":  {{Name: "other", Type: text}},
	} {
		spec := eventSpec()
		spec.Columns = arrow.NewSchema(fields, nil)
		if _, err := db.Table(t.Context(), spec); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v; want it invalid", name, err)
		}
	}
}

func TestDropEmptiesTheTable(t *testing.T) {
	for _, spec := range []TableSpec{eventSpec(), stateSpec()} {
		dir := t.TempDir()
		db := openDB(t, dir)
		table := openTable(t, db, spec)
		for round := range 3 {
			commit(t, table, 2, row{1, "a", 1, false}, row{2, "b", 2, false})
			if err := table.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
			commit(t, table, 3, row{3, "c", int64(round), false})
			equal(t, "rows", lines(t, db, "SELECT count(*) FROM "+spec.Name), []string{"3"})
			if err := table.Drop(t.Context()); err != nil {
				t.Fatal(err)
			}
			equal(t, "rows", lines(t, db, "SELECT count(*) FROM "+spec.Name), []string{"0"})
			equal(t, "files", len(entries(t, filepath.Join(dir, spec.Folder))), 0)
			if seq, err := table.Position(t.Context()); seq != 0 || err != nil {
				t.Fatalf("Position = %d, %v", seq, err)
			}
		}
	}
}

func TestReplacedFilesStayWhileAQueryReadsThem(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	table := openTable(t, db, eventSpec())
	for seq := record.Seq(1); seq <= 4; seq++ {
		commit(t, table, seq, row{seq, "a", int64(seq), false})
		if err := table.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := db.Query(t.Context(), Query{SQL: "SELECT n FROM trips"})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "files while it runs", len(entries(t, filepath.Join(dir, "trips-v1"))), 5)
	equal(t, "rows", len(drain(t, rows)), 4)
	equal(t, "files after it", entries(t, filepath.Join(dir, "trips-v1")), []string{"1-4.parquet"})
	if err := os.WriteFile(filepath.Join(dir, "trips-v1", "5-9.parquet.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	openDB(t, dir)
	equal(t, "files after a restart", entries(t, filepath.Join(dir, "trips-v1")), []string{"1-4.parquet"})
}

func TestMaintainRollsAndMergesWhenDue(t *testing.T) {
	db := openDB(t, t.TempDir())
	spec := eventSpec()
	spec.SegmentRows, spec.SegmentAge = 100, time.Minute
	table := openTable(t, db, spec)
	segments := func(after int) int {
		t.Helper()
		if err := table.Maintain(t.Context(), start.Add(time.Duration(after)*time.Second)); err != nil {
			t.Fatal(err)
		}
		stats, err := table.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Segments
	}
	equal(t, "segments of nothing", segments(0), 0)
	commit(t, table, 1, row{1, "a", 1, false})
	equal(t, "segments when young", segments(1), 0)
	equal(t, "segments when old", segments(62), 1)
	var many []row
	for seq := record.Seq(2); seq <= 101; seq++ {
		many = append(many, row{seq, "a", int64(seq), false})
	}
	commit(t, table, 101, many...)
	equal(t, "segments when full", segments(63), 2)
	for i := range record.Seq(enough) {
		commit(t, table, 102+i, row{102 + i, "b", int64(102 + i), false})
		if err := table.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "segments when merged", segments(64), 3)
	equal(t, "rows", lines(t, db, "SELECT count(*), sum(n)::BIGINT FROM trips"), []string{"109|5995"})
}
