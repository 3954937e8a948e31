package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/sqltest"
)

var (
	differQueries = flag.Int("differ", 300, "how many random statements the mesh and one database are asked")
	differSeed    = flag.Uint64("differ-seed", 1, "seed of the first of them")
)

// Whatever SELECT people write, the mesh answers as one DuckDB that holds all the tables.
func TestRandomStatementsAreAnsweredAsByOneDatabase(t *testing.T) {
	d := startDiffer(t)
	keyed := d.within(t, byKeys)
	d.askRandomly(t, *differQueries, func(seed uint64) *differ { return []*differ{keyed, d}[seed%2] })
	t.Logf("%d answers were of what was kept", d.kept.Load())
	if int(d.kept.Load()) < *differQueries/5 {
		t.Errorf("only %d of %d second answers were of what was kept", d.kept.Load(), *differQueries)
	}
}

// The same as of a moment that has passed, while records come, change and go.
func TestRandomStatementsAsOfEarlierWhileDataMoves(t *testing.T) {
	d := startDiffer(t)
	d.asOf = map[string]string{"": time.Now().UTC().Format(time.RFC3339Nano)}
	moved, stop := d.move(t, 0)
	defer stop()
	d.askRandomly(t, *differQueries/5, func(uint64) *differ { return d })
	t.Logf("%d records came meanwhile", moved.Load())
	if moved.Load() == 0 {
		t.Error("nothing moved meanwhile")
	}
}

// Of what is kept while data moves, each answer is that of the moment that it tells.
func TestRandomStatementsAreOfTheirMomentWhileDataMoves(t *testing.T) {
	d := startDiffer(t)
	_, stop := d.move(t, time.Second)
	defer stop()
	fresh := d.within(t, federate.Limits{})
	for i := range *differQueries / 10 {
		seed := *differSeed + uint64(i)
		s := sqltest.Make(d.tables, seed)
		var rows *answered
		var marks map[string]record.Watermark
		before := d.kept.Load()
		for tries := 0; tries < 4 && d.kept.Load() == before; tries++ {
			var err error
			if rows, marks, err = d.askMeshWhen(t.Context(), s); err != nil {
				break
			}
		}
		if d.kept.Load() == before {
			continue // others compare what was fetched
		}
		then := *fresh
		then.asOf = map[string]string{}
		for table, mark := range marks {
			then.asOf[strings.TrimSuffix(table, "_v1")] = fmt.Sprint(uint64(mark.Seq))
		}
		want, err := then.askMesh(t.Context(), s)
		if err != nil {
			t.Fatalf("seed %d as of %v: %v", seed, then.asOf, err)
		}
		if difference := want.differs(rows, s.Ordered); difference != "" {
			t.Errorf("seed %d as of %v: %s\n%s %v", seed, then.asOf, difference, s.SQL, s.Args)
		}
	}
	t.Logf("%d answers were of what was kept", d.kept.Load())
	if d.kept.Load() == 0 {
		t.Error("no answer was of what was kept")
	}
}

// move has records come, change and go, with that pause in between, until stop is called.
func (d *differ) move(t *testing.T, between time.Duration) (moved *atomic.Int64, stop func()) {
	moved = new(atomic.Int64)
	moving := newGroup(t.Context())
	for i, table := range d.tables {
		if len(table.Lines) == 0 {
			continue
		}
		rng := rand.New(rand.NewPCG(*differSeed, uint64(i)))
		moving.run(func(ctx context.Context) {
			for ctx.Err() == nil {
				at := rng.IntN(len(table.Lines))
				lines := table.Lines[at:min(at+50, len(table.Lines))]
				sent, err := d.sendLines(ctx, table, lines)
				if err != nil && ctx.Err() == nil || sent.Dead > 0 {
					t.Errorf("publish to %s: %+v, %v", table.SQL(), sent, err)
					return
				}
				moved.Add(int64(len(lines)))
				pause(ctx, between)
			}
		})
	}
	return moved, moving.stop
}

// askRandomly asks so many statements, four at a time, each of what by gives for its seed.
func (d *differ) askRandomly(t *testing.T, statements int, by func(seed uint64) *differ) {
	var refused, differ atomic.Int64
	next := make(chan uint64)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for seed := range next {
				s := sqltest.Make(d.tables, seed)
				d := by(seed)
				difference, err := d.compare(t.Context(), s)
				if err != nil {
					refused.Add(1)
				}
				if difference == "" || differ.Add(1) > 5 {
					continue
				}
				d.report(t, seed, s, difference)
			}
		})
	}
	for i := range statements {
		next <- *differSeed + uint64(i)
	}
	close(next)
	asking.Wait()
	t.Logf("%d statements, %d refused by both", statements, refused.Load())
	if n := differ.Load(); n > 0 {
		t.Errorf("%d of %d differ", n, statements)
	}
	if int(refused.Load())*10 > statements {
		t.Errorf("%d of %d statements were refused: they prove little", refused.Load(), statements)
	}
}

// differ is a mesh and one database with the same rows.
type differ struct {
	*world
	tables []*sqltest.Table
	one    *olap.Stage
	asOf   map[string]string // when the mesh is asked about
	kept   *atomic.Int64     // answers of what the client had kept
}

// within is d with a client of those limits.
func (d *differ) within(t *testing.T, limits federate.Limits) *differ {
	world, other := *d.world, *d
	world.client, other.world = &Client{nc: d.client.nc, limits: limits}, &world
	t.Cleanup(func() {
		if err := world.client.here.close(); err != nil {
			t.Error(err)
		}
	})
	return &other
}

func startDiffer(t *testing.T) *differ {
	tables, err := sqltest.Tables(1)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	described := map[string]bool{}
	for _, table := range tables {
		if !described[table.Product] {
			dirs = append(dirs, folder(t, table.Descriptor))
			described[table.Product] = true
		}
	}
	d := &differ{world: startWorld(t, t.TempDir(), dirs...), tables: tables, kept: new(atomic.Int64)}
	db, err := olap.OpenMemory(t.Context(), olap.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d.load(t, db)
	for _, table := range tables {
		d.send(t, table)
	}
	return d
}

// load puts the rows into the one database.
func (d *differ) load(t *testing.T, db *olap.DB) {
	var places []olap.Place
	var columns [][]string
	for _, table := range d.tables {
		names := []olap.TableRef{{Schema: table.Product, Name: table.Port}, {Schema: table.Product, Name: table.Port + "_v1"}}
		if table.Product == table.Port {
			names = append(names, olap.TableRef{Name: table.Port})
		}
		places = append(places, olap.Place{Names: names, Home: table.Product, Columns: table.Schema})
		columns = append(columns, nil)
		for _, f := range table.Schema.Fields() {
			columns[len(columns)-1] = append(columns[len(columns)-1], f.Name)
		}
	}
	stage, err := db.NewStage(t.Context(), places, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d.one = stage
	if err := stage.Clear(t.Context(), columns); err != nil {
		t.Fatal(err)
	}
	for i, table := range d.tables {
		given := false
		err := stage.Fill(t.Context(), i, func(context.Context) (arrow.RecordBatch, error) {
			if given {
				return nil, io.EOF
			}
			given = true
			table.Rows.Retain()
			return table.Rows, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// send publishes the rows to their product.
func (d *differ) send(t *testing.T, table *sqltest.Table) {
	if len(table.Lines) == 0 {
		return
	}
	sent, err := d.sendLines(t.Context(), table, table.Lines)
	if err != nil {
		t.Fatal(err)
	}
	if sent.Dead > 0 {
		letters, err := d.client.DeadLetters(t.Context(), table.Product+"."+table.Port)
		t.Fatalf("%d rows of %s were refused: %.1000v %v", sent.Dead, table.SQL(), letters, err)
	}
}

func (d *differ) sendLines(ctx context.Context, table *sqltest.Table, lines [][]byte) (Sent, error) {
	return d.client.Publish(ctx, table.Product+"."+table.Port, func() ([]byte, error) {
		if len(lines) == 0 {
			return nil, io.EOF
		}
		line := lines[0]
		lines = lines[1:]
		return line, nil
	}, PublishOptions{})
}

// report tells of a statement that is answered differently, in its simplest form.
func (d *differ) report(t *testing.T, seed uint64, s sqltest.Statement, difference string) {
	small := sqltest.Smaller(d.tables, s, 300, func(s sqltest.Statement) bool {
		difference, _ := d.compare(t.Context(), s)
		return difference != ""
	})
	less, _ := d.compare(t.Context(), small)
	t.Errorf("seed %d: %s\n%s %v\nsimpler: %s\n%s %v", seed, difference, s.SQL, s.Args, less, small.SQL, small.Args)
}

// compare asks both; err is what both say of a statement that they refuse.
func (d *differ) compare(ctx context.Context, s sqltest.Statement) (difference string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want, err := d.askOne(ctx, s)
	for range 2 { // the second time of what is kept
		if difference, err := d.against(ctx, s, want, err); difference != "" || err != nil {
			return difference, err
		}
	}
	return "", nil
}

// against asks the mesh, and compares with what the one database said.
func (d *differ) against(ctx context.Context, s sqltest.Statement, want *answered, err error) (string, error) {
	got, meshErr := d.askMesh(ctx, s)
	if err != nil || meshErr != nil {
		if spent(err) && spent(meshErr) { // which of the two came first says nothing
			return "", err
		}
		if fault.KindOf(err) == fault.KindOf(meshErr) && (err == nil) == (meshErr == nil) && errorClass(err) == errorClass(meshErr) {
			return "", err
		}
		return fmt.Sprintf("the mesh says %v, one database says %v", meshErr, err), err
	}
	return want.differs(got, s.Ordered), nil
}

func (d *differ) askOne(ctx context.Context, s sqltest.Statement) (*answered, error) {
	rows, err := d.one.Query(ctx, olap.Query{SQL: s.SQL, Named: s.Args})
	if err != nil {
		return nil, err
	}
	a, err := collect(ctx, s, rows.Schema(), rows.Next)
	return a, errors.Join(err, rows.Close())
}

func (d *differ) askMesh(ctx context.Context, s sqltest.Statement) (*answered, error) {
	a, _, err := d.askMeshWhen(ctx, s)
	return a, err
}

func (d *differ) askMeshWhen(ctx context.Context, s sqltest.Statement) (a *answered, marks map[string]record.Watermark, err error) {
	rows, err := d.client.Query(ctx, serve.QueryRequest{SQL: s.SQL, Args: s.Args, AsOf: d.asOf})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if a, err = collect(ctx, s, rows.Schema(), rows.Next); err != nil {
		return nil, nil, err
	}
	f, err := rows.Finish()
	if ofKept(rows.steps()) {
		d.kept.Add(1)
	}
	return a, f.Watermarks, err
}

// spent says that an answer would have taken more time or memory than there is.
func spent(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) == fault.Timeout || errorClass(err) == "out of memory error"
}

// errorClass is what DuckDB calls an error: "binder error".
func errorClass(err error) string {
	if err == nil {
		return ""
	}
	for part := range strings.SplitSeq(err.Error(), ": ") {
		if strings.HasSuffix(part, " error") {
			return part
		}
	}
	return ""
}

// answered is an answer, ready to compare.
type answered struct {
	columns string
	rows    []answeredRow
}

type answeredRow struct {
	exact string
	rough []float64
}

func collect(ctx context.Context, s sqltest.Statement, schema *arrow.Schema, next func(context.Context) (arrow.RecordBatch, error)) (*answered, error) {
	a := &answered{}
	for _, f := range schema.Fields() {
		a.columns += fmt.Sprintf("%s %s, ", f.Name, f.Type)
	}
	for {
		b, err := next(ctx)
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range int(b.NumRows()) {
			a.rows = append(a.rows, readRow(s, b, i))
		}
		b.Release()
	}
}

func readRow(s sqltest.Statement, b arrow.RecordBatch, i int) answeredRow {
	var r answeredRow
	var text []byte
	for c, col := range b.Columns() {
		if f, ok := col.(*array.Float64); ok && slices.Contains(s.Rough, c) && !col.IsNull(i) {
			r.rough = append(r.rough, f.Value(i))
			continue
		}
		if f, ok := col.(*array.Float64); ok && !col.IsNull(i) { // JSON has no infinities
			text = strconv.AppendFloat(text, f.Value(i), 'g', -1, 64)
		} else {
			text, _ = cell.AppendJSON(text, col, i)
		}
		text = append(text, '|')
	}
	r.exact = string(text)
	return r
}

// differs says how another answer differs from this one, "" when it does not.
func (a *answered) differs(other *answered, ordered bool) string {
	if a.columns != other.columns {
		return fmt.Sprintf("columns %s, want %s", other.columns, a.columns)
	}
	if len(a.rows) != len(other.rows) {
		return fmt.Sprintf("%d rows, want %d", len(other.rows), len(a.rows))
	}
	if !ordered {
		for _, rows := range [][]answeredRow{a.rows, other.rows} {
			slices.SortFunc(rows, func(x, y answeredRow) int {
				if c := strings.Compare(x.exact, y.exact); c != 0 {
					return c
				}
				return slices.Compare(x.rough, y.rough)
			})
		}
	}
	for i, want := range a.rows {
		if got := other.rows[i]; got.exact != want.exact || !slices.EqualFunc(got.rough, want.rough, near) {
			return fmt.Sprintf("row %d is %s %v, want %s %v", i, got.exact, got.rough, want.exact, want.rough)
		}
	}
	return ""
}

// near says whether two sums of the same numbers in different orders may be these.
func near(x, y float64) bool {
	return x == y || math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) <= 1e-9*max(1, math.Abs(x), math.Abs(y))
}
