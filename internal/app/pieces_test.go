package app

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/serve"
)

// A SELECT in brackets that one owner can answer is answered there, where that is less than
// its rows, and what comes of it chooses the rows of other tables.
func TestPiecesAreAnsweredByTheirOwners(t *testing.T) {
	w := shopping(t, rand.New(rand.NewPCG(5, 5)))
	db := oneDatabase(t, w)
	for sql, want := range map[string]string{
		`SELECT name FROM buyers.people WHERE id IN (SELECT buyer FROM sales.orders GROUP BY buyer HAVING count(*) > 4)`:                                                                  `SELECT buyer FROM (SELECT buyer FROM sales.orders GROUP BY buyer HAVING count(*) > 4)`,
		`SELECT name FROM buyers.people WHERE "limit" > (SELECT avg(total) FROM sales.orders)`:                                                                                            `(SELECT avg(total) FROM sales.orders)`,
		`WITH best AS (SELECT buyer, max(total) AS m FROM sales.orders GROUP BY buyer) SELECT name, m FROM best JOIN buyers.people p ON p.id = buyer WHERE m = (SELECT max(m) FROM best)`: `SELECT buyer, m FROM (SELECT buyer, max(total) AS m FROM sales.orders GROUP BY buyer)`,
		`SELECT name, o.n FROM buyers.people p JOIN (SELECT buyer, count(*) AS n FROM sales.orders o JOIN sales.lines l ON l.id = o.id GROUP BY ALL) o ON o.buyer = p.id`:                 `sales.lines l ON l.id = o.id GROUP BY ALL)`,
		`SELECT name, o.id FROM buyers.people p JOIN (SELECT id, buyer FROM sales.orders ORDER BY id, total, at LIMIT 20) o ON o.buyer = p.id`:                                            `ORDER BY id, total, at LIMIT 20)`,
		`SELECT city FROM buyers.people UNION ALL (SELECT DISTINCT item FROM sales.lines)`:                                                                                                `(SELECT DISTINCT item FROM sales.lines)`,
		// These are not.
		`SELECT name FROM buyers.people p WHERE EXISTS (SELECT 1 FROM sales.orders o WHERE o.buyer = p.id GROUP BY o.id)`:                         "",
		`SELECT name FROM buyers.people WHERE id IN (SELECT buyer FROM sales.orders WHERE total > 9)`:                                             "",
		`SELECT name FROM buyers.people WHERE id IN (SELECT max(buyer) FROM sales.orders WHERE at < now())`:                                       "",
		`SELECT name FROM buyers.people WHERE id IN (SELECT max(o.buyer) FROM sales.orders o, "the-items".items)`:                                 "",
		`WITH x AS (SELECT id AS a FROM buyers.people) SELECT * FROM (SELECT max(a) FROM x), sales.orders`:                                        "",
		`SELECT (SELECT max(buyer) FROM sales.orders) FROM buyers.people`:                                                                         "",
		`SELECT * FROM (SELECT max(buyer) AS a, min(buyer) AS A FROM sales.orders), buyers.people`:                                                "",
		`SELECT name FROM buyers.people WHERE id > (SELECT sum(buyer) FROM sales.orders)`:                                                         "",
		`SELECT name FROM buyers.people WHERE id > 5 OR id > (SELECT max(10 // (buyer - buyer)) + max(item::INT) FROM sales.orders, sales.lines)`: "",
	} {
		e, err := w.client.Explain(t.Context(), serve.QueryRequest{SQL: sql})
		if err != nil {
			if agree(t, w, db, sql, nil) {
				t.Errorf("%s: %v", sql, err)
			}
			continue
		}
		asked := ""
		for _, s := range e.Steps {
			if s.What == "fetch" && strings.Contains(s.SQL, "FROM (") {
				asked += s.SQL
			}
		}
		if asked = strings.ReplaceAll(asked, `"`, ""); !strings.Contains(asked, want) || (asked == "") != (want == "") {
			t.Errorf("%s\n asks %s\n want %s", sql, asked, want)
		}
		for _, w.client.limits = range []federate.Limits{{}, byKeys} {
			agree(t, w, db, sql, nil)
		}
	}
}

// To find out what a piece gives takes no work of its own: in two seconds nothing could be
// said of the numbers below.
func TestPiecesAreNotAnsweredToKnowTheirColumns(t *testing.T) {
	c := &Client{}
	defer c.here.close()
	db, err := c.here.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stage, err := db.NewStage(t.Context(), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	columns, ok, err := stage.Whole(ctx, `SELECT max(hash(a.i + b.i) % 7)::BIGINT AS "a""b" FROM range(100000000) a(i), range(100000000) b(i)`)
	if err != nil || !ok || columns.NumFields() != 1 || columns.Field(0).Name != `a"b` {
		t.Errorf("columns %v, %t, %v", columns, ok, err)
	}
}

// A name of the statement's own hides a product's.
func TestAPieceIsWhatItsNamesMeanInTheStatement(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, strings.ReplaceAll(salesYAML, "name: sales", "name: orders")), folder(t, buyersYAML))
	w.publish(t, "orders.orders", `{"id":1,"buyer":1}`)
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`, `{"id":2,"name":"Bob"}`)
	a, err := w.client.Query(t.Context(), serve.QueryRequest{SQL: `WITH orders AS (SELECT 2 AS buyer, o.id FROM orders o JOIN buyers.people p ON p.id = o.id) SELECT name FROM buyers.people WHERE id = (SELECT max(buyer) FROM orders)`})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	got, err := texts(t.Context(), a, true)
	if err != nil || len(got) != 2 || got[1] != "Bob" {
		t.Errorf("answered %q, %v", got, err)
	}
}

// functions are the engine's that the condition chooses.
func functions(t *testing.T, where string) []string {
	t.Helper()
	db, err := olap.OpenMemory(t.Context(), olap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(t.Context(), olap.Query{SQL: "SELECT DISTINCT function_name FROM duckdb_functions() WHERE " + where + " ORDER BY 1"})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	list, err := texts(t.Context(), rows, true)
	if err != nil || len(list) < 10 {
		t.Fatalf("functions %q: %v", list, err)
	}
	return list[1:] // without the column's name
}

// What an engine calls volatile is not asked of an owner as if it meant the same there.
func TestFunctionsThatAreNotPureAreUnsteady(t *testing.T) {
	list := functions(t, "stability <> 'CONSISTENT' AND function_name SIMILAR TO '[a-z_0-9]+'")
	for _, name := range list {
		if federate.Steady("SELECT " + name + "(a) FROM t") {
			t.Errorf("%s is taken for a function that means the same everywhere", name)
		}
	}
}

// A table that is read by a piece and beside it is read as of one moment, though it moves.
func TestAPieceSeesTheTableThatTheRestSees(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, salesYAML), folder(t, buyersYAML))
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`)
	w.publish(t, "sales.orders", `{"id":1,"buyer":1}`)
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for ctx.Err() == nil {
			w.publish(t, "sales.orders", `{"id":1,"buyer":1}`, `{"id":2,"buyer":2}`)
		}
	})
	for range 60 {
		rows, _ := w.query(t, `SELECT count(*) - (SELECT count(*) FROM sales.orders) AS more FROM sales.orders o LEFT JOIN buyers.people p ON p.id = o.buyer`)
		if len(rows) != 1 || rows[0] != "0" {
			t.Errorf("the two readings differ by %s", rows)
			break
		}
	}
	cancel()
	publishing.Wait()
}
