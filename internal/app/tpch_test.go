package app

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/sqltest"
	"github.com/meshctl/meshctl/internal/tpch"
)

// Each of the 22 queries of TPC-H, its eight tables with eight products, is answered as
// by one database that has them all.
func TestTPCHIsAnsweredAsByOneDatabase(t *testing.T) {
	const scale = 0.01
	tables := tpch.Tables(scale)
	var dirs []string
	for i := range tables {
		dirs = append(dirs, folder(t, tables[i].Descriptor()))
	}
	w := startWorld(t, t.TempDir(), dirs...)
	one := tpchDatabase(t, tables)
	for i := range tables {
		file := tpchFile(t, one, tables[i].Name, t.TempDir())
		if sent, err := w.client.Import(t.Context(), tables[i].Name, file, ImportOptions{}); err != nil || sent.Dead > 0 {
			t.Fatalf("import %s: %+v, %v", tables[i].Name, sent, err)
		}
	}
	d := &differ{world: w, one: one, kept: new(atomic.Int64)}
	empty := 0
	for n := range tpch.Queries {
		sql, err := tpch.Query(n+1, scale)
		if err != nil {
			t.Fatal(err)
		}
		s := sqltest.Statement{SQL: sql, Ordered: true}
		if difference, err := d.compare(t.Context(), s); difference != "" || err != nil {
			t.Errorf("query %d: %s %v", n+1, difference, err)
		}
		want, err := d.askOne(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if len(want.rows) == 0 {
			empty++
			t.Logf("query %d has no rows at this scale", n+1)
		}
	}
	if empty > 3 {
		t.Errorf("%d answers are empty: they compare nothing", empty)
	}
}

// tpchDatabase is one database with all the tables.
func tpchDatabase(t testing.TB, tables []tpch.Table) *olap.Stage {
	t.Helper()
	db, err := olap.OpenMemory(t.Context(), olap.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var places []olap.Place
	var columns [][]string
	for _, table := range tables {
		rows, err := db.Query(t.Context(), olap.Query{SQL: table.SQL + " LIMIT 0"})
		if err != nil {
			t.Fatalf("make %s: %v", table.Name, err)
		}
		names := []olap.TableRef{{Name: table.Name}, {Schema: table.Name, Name: table.Name}}
		places = append(places, olap.Place{Names: names, Home: table.Name, Columns: rows.Schema()})
		columns = append(columns, nil)
		for _, f := range rows.Schema().Fields() {
			columns[len(columns)-1] = append(columns[len(columns)-1], f.Name)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	one, err := db.NewStage(t.Context(), places, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Clear(t.Context(), columns); err != nil {
		t.Fatal(err)
	}
	for i, table := range tables {
		rows, err := db.Query(t.Context(), olap.Query{SQL: table.SQL})
		if err == nil {
			err = errors.Join(one.Fill(t.Context(), i, rows.Next), rows.Close())
		}
		if err != nil {
			t.Fatalf("make %s: %v", table.Name, err)
		}
	}
	return one
}

// tpchFile is a table as a Parquet file.
func tpchFile(t testing.TB, one *olap.Stage, table, dir string) string {
	t.Helper()
	file := filepath.Join(dir, table+".parquet")
	rows, err := one.Query(t.Context(), olap.Query{SQL: "SELECT * FROM " + table})
	if err == nil {
		err = errors.Join(olap.WriteParquet(t.Context(), file, rows), rows.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}
