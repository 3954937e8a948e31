// Package tpch is a benchmark of analytical SQL as TPC-H describes it: eight tables of any
// scale, made by SQL, and 22 queries. At scale 1 the largest has six million rows.
//
// The rows follow the specification's ranges of values and what it says of how columns
// depend on each other: an order's date and those of its lines, who supplies which part,
// prices, statuses, the customers without orders. They are a function of the row's number,
// so each table is made on its own and is the same each time. They are not dbgen's rows:
// its texts and its random numbers are its own. Queries have the parameters with which the
// specification validates them.
package tpch

import (
	"embed"
	"fmt"
	"math"
	"strings"
)

// Table is one of the eight tables.
type Table struct {
	Name    string
	SQL     string // a SELECT that makes the rows
	key     []string
	columns []column
}

type column struct{ name, kind string }

// tables are names, keys and columns. D is decimal(15,2).
var tables = []struct{ name, key, columns string }{
	{"region", "r_regionkey", "r_regionkey I, r_name S, r_comment S"},
	{"nation", "n_nationkey", "n_nationkey I, n_name S, n_regionkey I, n_comment S"},
	{"supplier", "s_suppkey", "s_suppkey I, s_name S, s_address S, s_nationkey I, s_phone S, s_acctbal D, s_comment S"},
	{"part", "p_partkey", "p_partkey I, p_name S, p_mfgr S, p_brand S, p_type S, p_size I, p_container S, p_retailprice D, p_comment S"},
	{"partsupp", "ps_partkey ps_suppkey", "ps_partkey I, ps_suppkey I, ps_availqty I, ps_supplycost D, ps_comment S"},
	{"customer", "c_custkey", "c_custkey I, c_name S, c_address S, c_nationkey I, c_phone S, c_acctbal D, c_mktsegment S, c_comment S"},
	{"orders", "o_orderkey", "o_orderkey I, o_custkey I, o_orderstatus S, o_totalprice D, o_orderdate T, o_orderpriority S, o_clerk S, o_shippriority I, o_comment S"},
	{"lineitem", "l_orderkey l_linenumber", "l_orderkey I, l_partkey I, l_suppkey I, l_linenumber I, l_quantity D, l_extendedprice D, l_discount D, l_tax D, " +
		"l_returnflag S, l_linestatus S, l_shipdate T, l_commitdate T, l_receiptdate T, l_shipinstruct S, l_shipmode S, l_comment S"},
}

// Tables are the eight tables at a scale.
func Tables(scale float64) []Table {
	list := make([]Table, len(tables))
	for i, t := range tables {
		list[i] = Table{Name: t.name, key: strings.Fields(t.key)}
		for c := range strings.SplitSeq(t.columns, ", ") {
			name, kind, _ := strings.Cut(c, " ")
			list[i].columns = append(list[i].columns, column{name, kind})
		}
		list[i].SQL = "SELECT " + strings.Join(list[i].cast(), ", ") + " FROM (" + rowsOf(t.name, scale) + ")"
	}
	return list
}

// cast is the columns in their types.
func (t *Table) cast() []string {
	types := map[string]string{"I": "BIGINT", "S": "VARCHAR", "D": "DECIMAL(15,2)", "T": "DATE"}
	list := make([]string, len(t.columns))
	for i, c := range t.columns {
		list[i] = c.name + "::" + types[c.kind] + " AS " + c.name
	}
	return list
}

// Descriptor is that of a product which has the table alone, under its own name.
func (t *Table) Descriptor() string {
	logical := map[string]string{"I": "integer", "S": "string", "D": `number, physicalType: "decimal(15,2)"`, "T": "date"}
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: %[1]s, domain: tpch, owner: tpch@example.org, version: 1.0.0}
spec:
  outputs:
  - name: %[1]s
    type: event
    key: [%[2]s]
    schema:
`, t.Name, strings.Join(t.key, ", "))
	for _, c := range t.columns {
		fmt.Fprintf(&b, "    - {name: %s, logicalType: %s}\n", c.name, logical[c.kind])
	}
	return b.String()
}

//go:embed queries/*.sql
var queries embed.FS

// Query is one of the queries, 1 to 22, for tables of that scale.
func Query(n int, scale float64) (string, error) {
	text, err := queries.ReadFile(fmt.Sprintf("queries/q%02d.sql", n))
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(string(text), "$fraction", fmt.Sprintf("%.10f", 0.0001/scale)), nil
}

// Queries is how many queries there are.
const Queries = 22

// count is so many rows at scale 1, at that scale.
func count(rows int, scale float64) int { return max(1, int(math.Round(float64(rows)*scale))) }
