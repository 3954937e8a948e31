package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/serve"
)

const (
	// sampleRows are looked at to guess how many rows of a large table a predicate leaves.
	sampleRows = 2048
	// mostKeys are sent to an owner to choose rows by, in a request of a few megabytes.
	mostKeys = 200_000
)

// fill fetches what the plan wants, wave by wave.
func (j *join) fill(ctx context.Context) error {
	columns := make([][]string, len(j.origins))
	for i, o := range j.origins {
		columns[i] = o.columns
	}
	if err := j.stage.Clear(ctx, columns); err != nil {
		return err
	}
	waves := j.waves()
	if err := j.begin(ctx, waves); err != nil {
		return err
	}
	for {
		wave := waves.Next()
		if len(wave) == 0 {
			return nil
		}
		rows, err := j.fetchAll(ctx, waves, wave)
		if err != nil {
			return err
		}
		for k, i := range wave {
			waves.Fetched(i, rows[k])
		}
	}
}

// begin fetches the small tables, while it asks about the large ones.
func (j *join) begin(ctx context.Context, waves *federate.Waves) error {
	small := waves.Small()
	var rows []int64
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return j.sample(ctx, waves) })
	both.Go(func() (err error) {
		rows, err = j.fetchAll(ctx, waves, small)
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	for k, i := range small {
		waves.Fetched(i, rows[k])
	}
	return nil
}

// waves decide in which order to fetch.
func (j *join) waves() *federate.Waves {
	rows := make([]float64, len(j.origins))
	for i, o := range j.origins {
		rows[i] = o.rows
	}
	waves := j.scans.NewWaves(j.tables(), rows, cmp.Or(j.c.limits, federate.Usual()))
	for _, o := range j.origins {
		for _, s := range o.scans {
			if o.few {
				waves.Sampled(s, 1/max(o.rows, 1))
			}
		}
	}
	return waves
}

// sample asks the owners of large tables, of which links can leave out rows, which share
// of some of their rows the predicates leave.
func (j *join) sample(ctx context.Context, waves *federate.Waves) error {
	if len(j.scans.Links) == 0 {
		return nil
	}
	all, ctx := errgroup.WithContext(ctx)
	for i := range j.origins {
		o := &j.origins[i]
		var scans []int
		counts := ""
		for _, s := range o.scans {
			if where := j.scans.Scans[s].Where; len(where) > 0 {
				scans = append(scans, s)
				counts += ", count(*) FILTER (WHERE " + strings.Join(where, " AND ") + ")"
			}
		}
		if len(scans) == 0 || !waves.Large(i) || o.piece != "" {
			continue
		}
		all.Go(func() error {
			found, err := j.counts(ctx, o, fmt.Sprintf("SELECT count(*)%s FROM (SELECT * FROM %s LIMIT %d)", counts, o.table(), sampleRows))
			if kind := fault.KindOf(err); kind == fault.Rejected || j.partial && kind == fault.Unavailable {
				return nil // the guess stands
			}
			if err != nil {
				return fmt.Errorf("sample %s: %w", o.id, sinceWhen(err, o.tables))
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			for k, s := range scans {
				waves.Sampled(s, (float64(found[k+1])+0.5)/(float64(found[0])+1))
			}
			return nil
		})
	}
	return all.Wait()
}

// counts is one row of integers.
func (j *join) counts(ctx context.Context, o *origin, sql string) ([]int64, error) {
	began := time.Now()
	stream, err := j.c.openQuery(ctx, o.id.Product, serve.QueryRequest{SQL: sql})
	if err != nil {
		return nil, err
	}
	defer func() {
		stream.close()
		j.did(Step{What: "sample", Product: o.id.Product, Port: o.id.Port, SQL: sql, Rows: 1, Bytes: stream.bytes}, began)
	}()
	b, err := stream.next(ctx)
	if err != nil {
		return nil, err
	}
	defer b.Release()
	list := make([]int64, b.NumCols())
	for i, col := range b.Columns() {
		n, ok := col.(*array.Int64)
		if !ok || n.Len() != 1 {
			return nil, fmt.Errorf("a count is %s", col.DataType())
		}
		list[i] = n.Value(0)
	}
	return list, nil
}

// fetchAll fetches the tables of one wave, and says how many rows each has.
func (j *join) fetchAll(ctx context.Context, waves *federate.Waves, wave []int) ([]int64, error) {
	rows := make([]int64, len(wave))
	asks := make([]ask, len(wave))
	for k, i := range wave {
		var err error
		if asks[k], err = j.ask(ctx, waves, i); err != nil {
			return nil, err
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	for k, i := range wave {
		all.Go(func() (err error) {
			o := &j.origins[i]
			rows[k], err = j.fetch(ctx, i, asks[k])
			if err == nil || j.partial && j.leaveOut(o, err) {
				return nil
			}
			return fmt.Errorf("fetch %s: %w", o.id, sinceWhen(err, o.tables))
		})
	}
	return rows, all.Wait()
}

// leaveOut takes the origin for an empty table, if its product could not be reached.
func (j *join) leaveOut(o *origin, err error) bool {
	if fault.KindOf(err) != fault.Unavailable {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.missing = append(j.missing, serve.Missing{Table: o.tables[0].port.Table, Since: o.tables[0].seen, Error: err.Error()})
	slices.SortFunc(j.missing, func(a, b serve.Missing) int { return cmp.Compare(a.Table, b.Table) })
	return true
}

// ask is a request for an origin's rows.
type ask struct {
	serve.QueryRequest
	keys int64 // that it holds
}

// ask is the request for the rows of an origin that matter.
func (j *join) ask(ctx context.Context, waves *federate.Waves, i int) (a ask, err error) {
	o := &j.origins[i]
	if o.none {
		a.SQL = o.sql("false") // only as of when
		return a, nil
	}
	var all keys
	var scans [][]string
	for _, s := range o.scans {
		where, err := j.chosen(ctx, waves, s, &all, nil)
		if err != nil {
			return a, err
		}
		scans = append(scans, where)
	}
	a.SQL = o.sql(federate.Where(scans))
	for k, list := range all {
		name := all.name(k)
		if !strings.Contains(a.SQL, "$"+name+" ") && !strings.Contains(a.SQL, "$"+name+",") {
			continue // another scan needs all rows
		}
		if a.Args == nil {
			a.Args = map[string]any{}
		}
		a.Args[name] = list.text
		a.keys += list.n
	}
	return a, nil
}

// keys are the lists of keys that a request holds.
type keys []keyList

type keyList struct {
	sql, text string // the SELECT that finds them, and how they are sent
	n         int64
}

// name is what list i is bound to.
func (keys) name(i int) string { return fmt.Sprint("keys", i) }

// find is the number of the list that a SELECT finds, which is asked once.
func (k *keys) find(ctx context.Context, stage *olap.Stage, sql string, text bool) (int, error) {
	i := slices.IndexFunc(*k, func(l keyList) bool { return l.sql == sql })
	if i >= 0 {
		return i, nil
	}
	list, n, err := stage.Keys(ctx, sql, text, mostKeys)
	if err != nil {
		return 0, err
	}
	*k = append(*k, keyList{sql, list, n})
	return len(*k) - 1, nil
}

// chosen are the predicates of a scan, and if its table is large those by which other scans
// choose its rows: tables that are here already by keys, scans of the same table within the
// request, whose owner sees them both as of one moment. Those in within are not asked again.
func (j *join) chosen(ctx context.Context, waves *federate.Waves, scan int, all *keys, within []int) ([]string, error) {
	where := slices.Clone(j.scans.Scans[scan].Where)
	i := j.tables()[scan]
	if !waves.Large(i) {
		return where, nil
	}
	more, err := j.keyed(ctx, waves, scan, all)
	if err != nil {
		return nil, err
	}
	where = append(where, more...)
	if j.origins[i].piece != "" {
		return where, nil // to answer it again could give other rows
	}
	within = append(within, scan)
	for _, l := range waves.Within(scan) {
		if slices.Contains(within, l.From) {
			continue
		}
		other, err := j.chosen(ctx, waves, l.From, all, within)
		if err != nil {
			return nil, err
		}
		where = append(where, l.Selected(j.origins[i].table(), other))
	}
	return where, nil
}

// keyed are predicates that choose a scan's rows by keys of tables that are here already.
// The keys go into all.
func (j *join) keyed(ctx context.Context, waves *federate.Waves, scan int, all *keys) ([]string, error) {
	var list []string
	for _, l := range waves.Into(scan) {
		i, err := all.find(ctx, j.stage, waves.Keys(l), l.Text())
		if err != nil {
			return nil, err
		}
		if n := (*all)[i].n; n <= mostKeys && waves.Useful(l, n) {
			list = append(list, l.Keyed(all.name(i)))
		}
	}
	return list, nil
}

// fetch puts an origin's rows on the stage and says how many there were. An owner that
// refuses a predicate, such as for a row that it fails on and that the statement itself
// never looks at, is asked for all rows.
func (j *join) fetch(ctx context.Context, i int, r ask) (int64, error) {
	n, err := j.fetchRows(ctx, i, r)
	if all := j.origins[i].sql(""); r.SQL != all && fault.KindOf(err) == fault.Rejected {
		n, err = j.fetchRows(ctx, i, ask{QueryRequest: serve.QueryRequest{SQL: all}})
	}
	return n, err
}

func (j *join) fetchRows(ctx context.Context, i int, r ask) (int64, error) {
	began := time.Now()
	o := &j.origins[i]
	r.AsOf = j.asOf
	stream, err := j.c.openQuery(ctx, o.id.Product, r.QueryRequest)
	if err != nil {
		return 0, err
	}
	defer stream.close()
	if err := j.stage.Fill(ctx, i, stream.next); err != nil {
		return 0, err
	}
	a, err := stream.finish()
	if err != nil {
		return 0, err
	}
	j.did(Step{What: "fetch", Product: o.id.Product, Port: o.id.Port, SQL: r.SQL, Keys: r.keys, Rows: a.Rows, Bytes: stream.bytes}, began)
	j.mu.Lock()
	defer j.mu.Unlock()
	for table, mark := range a.Watermarks {
		if before, ok := j.marks[table]; ok && before.Seq != mark.Seq {
			j.torn = true
		}
		j.marks[table] = mark
	}
	j.hold(o, r.SQL, a)
	return a.Rows, nil
}
