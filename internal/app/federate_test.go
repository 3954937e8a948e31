package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

var selects = flag.Int("selects", 100, "how many random SELECTs over several products to compare with one database")

const buyersYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: buyers, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: people
    type: state
    key: [id]
    schema:
    - {name: id, logicalType: integer}
    - {name: name, logicalType: string}
    - {name: city, logicalType: string}
    - {name: born, logicalType: date}
    - {name: limit, logicalType: number, physicalType: "decimal(12,2)"}
`

const salesYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: sales, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: orders
    type: event
    schema:
    - {name: id, logicalType: integer}
    - {name: buyer, logicalType: integer}
    - {name: total, logicalType: number, physicalType: "decimal(12,2)"}
    - {name: at, logicalType: timestamp}
    - {name: paid, logicalType: boolean}
    - {name: tags, logicalType: array, items: {logicalType: string}}
    - {name: to, logicalType: object, properties: [{name: city, logicalType: string}, {name: zip, logicalType: integer}]}
  - name: lines
    type: event
    schema:
    - {name: id, logicalType: integer}
    - {name: item, logicalType: string}
    - {name: amount, logicalType: integer}
`

const itemsYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: the-items, domain: stock, owner: stock@example.org, version: 1.0.0}
spec:
  outputs:
  - name: items
    type: state
    key: [item]
    schema:
    - {name: item, logicalType: string}
    - {name: kind, logicalType: string}
    - {name: price, logicalType: number, physicalType: "decimal(9,2)"}
    - {name: weight, logicalType: number, physicalType: double}
`

// shopping is a mesh of three products with random rows.
func shopping(t *testing.T, r *rand.Rand) *world {
	t.Helper()
	w := startWorld(t, t.TempDir(), folder(t, buyersYAML), folder(t, salesYAML), folder(t, itemsYAML))
	or := func(text string) string { // or null
		if r.IntN(8) == 0 {
			return "null"
		}
		return text
	}
	var people, orders, lines, items []string
	for i := range 60 {
		people = append(people, fmt.Sprintf(`{"id":%d,"name":%s,"city":%s,"born":%s,"limit":%s}`, i, or(fmt.Sprintf(`"%s%d"`, pick(r, "Ann", "bob", "Cy_", "d%"), i%7)),
			or(fmt.Sprintf(`"%s"`, pick(r, cities...))), or(fmt.Sprintf(`"19%02d-0%d-1%d"`, r.IntN(100), 1+r.IntN(9), r.IntN(10))), or(fmt.Sprintf(`"%d.%02d"`, r.IntN(500)-50, r.IntN(100)))))
	}
	for i := range 200 {
		orders = append(orders, fmt.Sprintf(`{"id":%s,"buyer":%s,"total":%s,"at":%s,"paid":%s,"tags":%s,"to":%s}`, or(fmt.Sprint(i/2)), or(fmt.Sprint(r.IntN(80))),
			or(fmt.Sprintf(`"%d.%02d"`, r.IntN(300), r.IntN(100))), or(fmt.Sprintf(`"20%02d-0%d-11T0%d:15:00Z"`, 10+r.IntN(15), 1+r.IntN(9), r.IntN(10))), or(fmt.Sprint(r.IntN(2) == 0)),
			or(pick(r, `[]`, `["a"]`, `["a","b"]`)), or(fmt.Sprintf(`{"city":%s,"zip":%d}`, or(`"`+pick(r, cities...)+`"`), r.IntN(9)))))
	}
	for range 500 {
		lines = append(lines, fmt.Sprintf(`{"id":%s,"item":%s,"amount":%s}`, or(fmt.Sprint(r.IntN(120))), or(fmt.Sprintf(`"i%d"`, r.IntN(40))), or(fmt.Sprint(r.IntN(20)-3))))
	}
	for i := range 30 {
		items = append(items, fmt.Sprintf(`{"item":"i%d","kind":%s,"price":%s,"weight":%s}`, i, or(`"`+pick(r, "tea", "ink", "o'il")+`"`), or(fmt.Sprintf(`"%d.%02d"`, r.IntN(90), r.IntN(100))), or(fmt.Sprintf(`%d.5`, r.IntN(9)))))
	}
	w.publish(t, "buyers.people", people...)
	w.publish(t, "sales.orders", orders...)
	w.publish(t, "sales.lines", lines...)
	w.publish(t, "the-items.items", items...)
	for !w.counted(t, 60+200+500+30) { // how much there is decides what is fetched first
		if t.Context().Err() != nil {
			t.Fatal("the catalog does not tell how much there is")
		}
	}
	return w
}

// counted says whether the catalog tells of so many records.
func (w *world) counted(t *testing.T, want uint64) bool {
	t.Helper()
	all, err := w.client.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	for _, e := range all {
		for _, p := range e.Ports {
			n += p.Records
		}
	}
	return n >= want
}

var cities = []string{"Rome", "Oslo", "Ruse", "São", ""}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// oneDatabase holds all rows of all ports of the mesh.
func oneDatabase(t *testing.T, w *world) *olap.Stage {
	t.Helper()
	all, err := w.client.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tables []routed
	for _, name := range []olap.TableRef{{Schema: "buyers", Name: "people"}, {Schema: "sales", Name: "orders"}, {Schema: "sales", Name: "lines"}, {Schema: "the-items", Name: "items"}} {
		e, p, err := findTable(all, name)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, routed{ref: name, id: e.ID(p), port: p})
	}
	l := &local{}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	db, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := origins(tables)
	if err != nil {
		t.Fatal(err)
	}
	var places []olap.Place
	columns := make([][]string, len(list))
	for i, o := range list {
		places = append(places, o.place)
		for _, f := range o.place.Columns.Fields() {
			columns[i] = append(columns[i], f.Name)
		}
	}
	stage, err := db.NewStage(t.Context(), places, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := stage.Clear(t.Context(), columns); err != nil {
		t.Fatal(err)
	}
	for i, o := range list {
		a, err := w.client.queryProduct(t.Context(), o.id.Product, serve.QueryRequest{SQL: "SELECT * FROM " + olap.TableRef{Schema: o.id.Product, Name: o.id.Port}.SQL()})
		if err != nil {
			t.Fatal(err)
		}
		err = stage.Fill(t.Context(), i, a.Next)
		if err := errors.Join(err, a.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return stage
}

// texts are an answer's rows as text, its columns' names and types first.
func texts(ctx context.Context, rows olap.Batches, sorted bool) ([]string, error) {
	var list []string
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range int(b.NumRows()) {
			cells := make([]string, b.NumCols())
			for c, col := range b.Columns() {
				cells[c] = strings.Clone(col.ValueStr(i))
			}
			list = append(list, strings.Join(cells, "|"))
		}
		b.Release()
	}
	if !sorted {
		slices.Sort(list)
	}
	head := ""
	for _, f := range rows.Schema().Fields() {
		head += f.Name + ":" + f.Type.String() + "|"
	}
	return append([]string{head}, list...), nil
}

// ordered is a statement whose rows have one order only.
var ordered = regexp.MustCompile(`ORDER BY ALL( LIMIT \d+)?$`)

// agree says whether the mesh answers as the one database does.
func agree(t *testing.T, w *world, db *olap.Stage, sql string, args map[string]any) (answered bool) {
	t.Helper()
	want, err := func() ([]string, error) {
		rows, err := db.Query(t.Context(), olap.Query{SQL: sql, Named: args})
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		return texts(t.Context(), rows, ordered.MatchString(sql))
	}()
	got, gotErr := func() ([]string, error) {
		a, err := w.client.Query(t.Context(), serve.QueryRequest{SQL: sql, Args: args})
		if err != nil {
			return nil, err
		}
		defer a.Close()
		return texts(t.Context(), a, ordered.MatchString(sql))
	}()
	if (err == nil) != (gotErr == nil) {
		t.Errorf("%s\n one database: %v\n the mesh:     %v", sql, err, gotErr)
	} else if !slices.Equal(got, want) {
		t.Errorf("%s\n one database: %d %q\n the mesh:     %d %q", sql, len(want), want[:min(len(want), 12)], len(got), got[:min(len(got), 12)])
	}
	return err == nil
}

// byKeys has every row that can be chosen by keys chosen so, however few that leaves out.
var byKeys = federate.Limits{Rows: 1, Share: 2}

func TestTheMeshAnswersAsOneDatabaseDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	w := shopping(t, r)
	db := oneDatabase(t, w)
	keyed := &world{client: other(t, w.client)}
	keyed.client.limits = byKeys
	for _, sql := range []string{
		`SELECT p.name, o.total FROM buyers.people p JOIN sales.orders o ON o.buyer = p.id WHERE o.total > 100 AND p.city LIKE 'R%'`,
		`SELECT count(*) FROM buyers.people, "the-items".items`,
		`SELECT buyers.people.name, "the-items".items.kind FROM buyers.people, "the-items".items WHERE buyers.people.id = 3`,
		`SELECT people.* FROM buyers.people LEFT JOIN sales.orders ON buyer = people.id WHERE buyer IS NULL`,
		`SELECT name FROM buyers.people WHERE id NOT IN (SELECT buyer FROM sales.orders)`,
		`SELECT name FROM buyers.people WHERE id NOT IN (SELECT buyer FROM sales.orders WHERE buyer IS NOT NULL)`,
		`SELECT kind, (SELECT max(amount) FROM sales.lines l WHERE l.item = i.item) FROM "the-items".items i`,
		`SELECT * FROM sales.orders o, buyers.people p WHERE o."to".city = p.city AND o."to".zip IN (1, 2)`,
		`SELECT unnest(tags) AS tag, count(*) FROM sales.orders JOIN buyers.people p ON p.id = buyer GROUP BY ALL ORDER BY ALL`,
		`WITH RECURSIVE c AS (SELECT id, 0 AS n FROM buyers.people WHERE id < 5 UNION ALL SELECT o.buyer, n + 1 FROM c JOIN sales.orders o ON o.id = c.id WHERE n < 2) SELECT * FROM c`,
		`SELECT 'p' AS what, count(*) FROM buyers.people UNION ALL SELECT 'o', count(*) FROM sales.orders WHERE total > 50`,
		`SELECT count(*), max(i.kind) FROM sales.lines l LEFT JOIN "the-items".items i ON l.item = i.item`,
		`SELECT count(*), max(i.kind) FROM "the-items".items i RIGHT JOIN sales.lines l ON l.item = i.item`,
		`SELECT count(*), max(i.kind) FROM "the-items".items i FULL JOIN sales.lines l ON l.item = i.item`,
		`SELECT l.id FROM sales.lines l ANTI JOIN "the-items".items i ON l.item = i.item`,
		`SELECT l.id FROM sales.lines l WHERE NOT EXISTS (FROM "the-items".items i WHERE l.item = i.item)`,
		`SELECT l.id FROM sales.lines l WHERE item NOT IN (SELECT item FROM "the-items".items)`,
		`SELECT l.id, item IN (SELECT item FROM "the-items".items) FROM sales.lines l`,
		`SELECT count(*), count(j.item) FROM sales.lines l LEFT JOIN (SELECT i.item FROM "the-items".items i) j ON l.item IS NOT DISTINCT FROM j.item`,
		`SELECT count(*), count(l.item) FROM sales.lines l JOIN "the-items".items i ON l.item IS NOT DISTINCT FROM i.kind`,
		`SELECT l.id FROM sales.lines l JOIN buyers.people p ON l.id IS NOT DISTINCT FROM (CASE WHEN p.id > 9 THEN p.id END)`,
		`SELECT sum(n) FROM (SELECT item, row_number() OVER (ORDER BY id) AS n FROM sales.lines) l JOIN "the-items".items i USING (item) WHERE price < 20`,
		`SELECT * FROM (SELECT id, item FROM sales.lines ORDER BY ALL LIMIT 20) l JOIN "the-items".items i USING (item) WHERE price < 20`,
		`SELECT item, n FROM (SELECT item, count(*) AS n FROM sales.lines GROUP BY item) l JOIN "the-items".items i USING (item) WHERE price < 20`,
		`SELECT item, n FROM (SELECT item, count(*) AS n FROM sales.lines GROUP BY ROLLUP (item)) l JOIN "the-items".items i ON l.item IS NOT DISTINCT FROM i.item WHERE price < 20`,
		`SELECT * FROM (SELECT DISTINCT ON (id) id, item FROM sales.lines ORDER BY ALL) l JOIN "the-items".items i USING (item) WHERE price < 20`,
		`SELECT i.kind, l.n FROM "the-items".items i LEFT JOIN (SELECT l.item, o.id AS n FROM sales.orders o LEFT JOIN sales.lines l ON l.id = o.id) l ON l.item = i.item`,
		`SELECT count(*) FROM (SELECT o.id, l.item FROM sales.orders o LEFT JOIN sales.lines l ON l.id = o.id) x LEFT JOIN "the-items".items i ON x.item = i.item`,
		`SELECT count(*) FROM (SELECT o.id, l.item FROM sales.orders o LEFT JOIN sales.lines l ON l.id = o.id) x JOIN "the-items".items i ON x.item IS NOT DISTINCT FROM i.kind`,
		`FROM buyers.people SEMI JOIN sales.orders ON buyer = people.id`,
		`SELECT name FROM buyers.people p WHERE EXISTS (FROM sales.orders o WHERE o.buyer = p.id AND o.total < p."limit")`,
		`SELECT name FROM buyers.people p WHERE p.city <> 'Rome' AND NOT EXISTS (FROM sales.orders o WHERE o.buyer = p.id AND o.total < p."limit")`,
		`SELECT p.id, (SELECT sum(total) FROM sales.orders o WHERE o.buyer = p.id) FROM buyers.people p LEFT JOIN sales.lines l ON l.id = p.id`,
		`SELECT p.id, (SELECT count(*) FROM sales.orders o WHERE o.buyer IS NOT DISTINCT FROM l.amount) FROM buyers.people p LEFT JOIN sales.lines l ON l.id = p.id`,
		`SELECT name FROM buyers.people p WHERE id < (SELECT avg(o.id) FROM sales.orders o WHERE o.buyer = p.id AND EXISTS (FROM sales.lines l WHERE l.id = o.id AND l.amount > p.id))`,
		`SELECT p.id, x.id FROM buyers.people p, LATERAL (SELECT o.id FROM sales.orders o WHERE o.buyer = p.id ORDER BY o.id LIMIT 1) x`,
		`SELECT count(*) FROM buyers.people p JOIN sales.orders o ON o.buyer = p.id WHERE o.total > (SELECT avg(x.total) FROM sales.orders x WHERE x.buyer = o.buyer)`,
		`SELECT count(*) FROM buyers.people p JOIN sales.lines a ON a.id = p.id JOIN sales.lines b ON b.item = a.item LEFT JOIN sales.lines c ON c.id = b.id WHERE p.id < 9 AND a.amount = 2 AND b.amount > 3`,
		`SELECT count(*) FROM buyers.people p JOIN sales.lines a ON a.id = p.id WHERE p.id < 30 AND NOT EXISTS (FROM sales.lines b WHERE b.item = a.item AND b.id <> a.id AND b.amount > 3)`,
		`SELECT * FROM buyers.people p ASOF JOIN sales.orders o ON p.id = o.buyer AND p.born < o.at::DATE`,
		`PIVOT (SELECT city, kind FROM buyers.people, "the-items".items) ON kind USING count(*)`,
		`SELECT count(*) FROM sales.orders, buyers.people p WHERE at < now() AND born < current_date AND p.id = buyer`,
		`SELECT p.id, o.id FROM buyers.people p POSITIONAL JOIN "the-items".items o`,
		`SELECT p.id FROM buyers.people p, sales.orders o WHERE p.id = o.buyer AND 10 / (p.id - p.id) > 1`,
		`SELECT p.id FROM buyers.people p, sales.orders o WHERE p.id = o.buyer AND p.name::INTEGER = 1`,
		`SELECT p.nothing FROM buyers.people p, sales.orders o`,
		`SELECT * FROM buyers.people, sales.orders WHERE false`,
		`SELECT max(p.id) FROM buyers.people p, sales.orders o WHERE 1 = 0`,
		`SELECT name, "limit" FROM buyers.people JOIN sales.orders ON id1 = 1`,
	} {
		agree(t, w, db, sql, nil)
		agree(t, keyed, db, sql, nil)
	}
	agree(t, w, db, `SELECT p.name, o.total FROM buyers.people p JOIN sales.orders o ON o.buyer = p.id WHERE o.total > $least AND p.city = $city`, map[string]any{"least": 12.5, "city": "Rome"})
	agree(t, w, db, `SELECT p.name, o.total FROM buyers.people p JOIN sales.orders o ON o.buyer = p.id WHERE o.id > $least AND p.born < $day`, map[string]any{"least": "12", "day": "1970-01-01"})
}

func TestRandomSelectsOverSeveralProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, uint64(*selects)))
	w := shopping(t, r)
	db := oneDatabase(t, w)
	answered := 0
	for i := range *selects {
		w.client.limits = []federate.Limits{byKeys, byKeys, byKeys, {}}[i%4]
		if agree(t, w, db, (&random{r: r}).statement(), nil) {
			answered++
		}
		if t.Failed() {
			return
		}
	}
	if answered < *selects*8/10 {
		t.Errorf("only %d of %d statements could be answered; the others compare nothing", answered, *selects)
	}
}

// asked is what a statement over the products of shopping makes their owners do, as SQL.
func asked(t *testing.T, sql string) string {
	t.Helper()
	var all catalog.Catalog
	for _, yaml := range []string{buyersYAML, salesYAML, itemsYAML} {
		desc, err := product.Load(folder(t, yaml))
		if err != nil {
			t.Fatal(err)
		}
		e := catalog.Entry{Product: *desc}
		for _, out := range desc.Spec.Outputs {
			e.Ports = append(e.Ports, catalog.Port{Output: out, Major: 1})
		}
		all = append(all, e)
	}
	c := &Client{}
	defer c.here.close()
	db, err := c.here.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refs, err := db.TablesIn(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := route(all, refs)
	if err != nil {
		t.Fatal(err)
	}
	j, err := c.newJoin(t.Context(), tables, serve.QueryRequest{SQL: sql}, true)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	waves := j.waves()
	for i := range j.origins {
		r, err := j.ask(t.Context(), waves, i)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r.SQL)
	}
	return strings.ReplaceAll(strings.Join(list, "\n"), `"`, "")
}

func TestWhatIsAskedOfAnOwner(t *testing.T) {
	for sql, want := range map[string]string{
		`SELECT name FROM buyers.people p, sales.orders o WHERE p.id = o.buyer AND total > 10.5 AND city LIKE 'R%' AND born < DATE '1980-01-01'`: `SELECT id, name, city, born FROM buyers.people_v1 WHERE (city >= CAST('R' AS VARCHAR) AND city < CAST('S' AS VARCHAR)) AND born < CAST('1980-01-01' AS DATE)
SELECT buyer, total FROM sales.orders_v1 WHERE total > CAST('10.50' AS DECIMAL(12,2))`,
		`SELECT count(*) FROM buyers.people, sales.orders`: `SELECT NULL::BOOLEAN FROM buyers.people_v1
SELECT NULL::BOOLEAN FROM sales.orders_v1`,
		`SELECT 1 FROM buyers.people, sales.orders WHERE random() < 0.5 AND id1(buyers.people) = 3`: `SELECT id, name, city, born, limit FROM buyers.people_v1
SELECT id, buyer, total, at, paid, tags, to FROM sales.orders_v1`,
		`SELECT a.id FROM sales.lines a JOIN sales.lines b ON a.id = b.amount JOIN buyers.people p ON p.id = a.id WHERE a.item = 'x' AND b.amount > a.id AND b.item ILIKE 'Y' AND random() < 0.5`: `SELECT id FROM buyers.people_v1
SELECT id, item, amount FROM sales.lines_v1 WHERE (item = CAST('x' AS VARCHAR)) OR ((item ILIKE CAST('Y' AS VARCHAR)))`,
	} {
		if got := asked(t, sql); got != want {
			t.Errorf("%s\n asks %s\n want %s", sql, got, want)
		}
	}
}

// A subquery about each row of another table is asked for what is about the rows that are
// here, and of a table that is joined with itself the owner lets the rows of one choose the other's.
func TestRowsAreChosenForSubqueriesAndWithinATable(t *testing.T) {
	w := shopping(t, rand.New(rand.NewPCG(3, 3)))
	w.client.limits = byKeys
	for sql, want := range map[string]string{
		`SELECT name FROM buyers.people p WHERE p.id < 3 AND EXISTS (FROM sales.orders o WHERE o.buyer = p.id AND o.total < p."limit")`:                                     `_v1 WHERE buyer IN (SELECT unnest(CAST($keys0 AS BIGINT[])))`,
		`SELECT count(*) FROM buyers.people p JOIN sales.lines a ON a.id = p.id WHERE p.id < 30 AND NOT EXISTS (FROM sales.lines b WHERE b.item = a.item AND b.id <> a.id)`: ` OR (item IN (SELECT item FROM sales.lines_v1 WHERE id < CAST('30' AS BIGINT) AND id IN (SELECT unnest(CAST($keys0 AS BIGINT[])))))`,
	} {
		e, err := w.client.Explain(t.Context(), serve.QueryRequest{SQL: sql})
		if err != nil {
			t.Fatal(err)
		}
		last := e.Steps[len(e.Steps)-2]
		if got := strings.ReplaceAll(last.SQL, `"`, ""); !strings.Contains(got, want) || last.Keys == 0 {
			t.Errorf("%s\n asks last %s, with %d keys\n want %s", sql, got, last.Keys, want)
		}
	}
}

func TestKeysOfTheSmallerTableChooseTheRowsOfTheLarger(t *testing.T) {
	w := shopping(t, rand.New(rand.NewPCG(3, 3)))
	const sql = `SELECT p.name, o.total, l.amount FROM buyers.people p JOIN sales.orders o ON o.buyer = p.id JOIN sales.lines l ON l.id = o.id WHERE p.id IN (3, 4)`
	for limits, keyed := range map[federate.Limits]int{byKeys: 2, federate.Usual(): 0} {
		c := other(t, w.client)
		c.limits = limits
		e, err := c.Explain(t.Context(), serve.QueryRequest{SQL: sql})
		if err != nil {
			t.Fatal(err)
		}
		n, fetched := 0, int64(0)
		for _, s := range e.Steps {
			if s.Keys > 0 {
				n++
			}
			if s.What == "fetch" {
				fetched += s.Rows
			}
		}
		if n != keyed || (fetched > 50) != (keyed == 0) || e.Plan == "" || e.Bytes == 0 || len(e.Watermarks) != 3 {
			t.Errorf("with the limits %v: %d fetches by keys, %d rows, %d bytes, watermarks %v, steps %+v", limits, n, fetched, e.Bytes, e.Watermarks, e.Steps)
		}
	}
}
