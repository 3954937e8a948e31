// Package federate decides what each owner does of a statement that reads several
// products. It is pure: it reads the plan that DuckDB makes of the statement over empty
// tables, and says what to fetch.
//
// What is fetched is always enough and may be more: the statement itself then runs over
// it, unchanged. So a predicate that cannot be written back as SQL costs time, never
// rightness. For this the plan must hold for any rows, which is for the caller to see to:
// it has to be made without the optimizers that look at what the tables hold.
package federate

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Plan is what a statement needs of its tables.
type Plan struct {
	Scans []Scan
	Links []Link
}

// Scan is one reading of a table. A statement may read a table several times.
type Scan struct {
	Schema, Table string
	Columns       []string // that it reads, in the table's order
	Where         []string // SQL predicates over the columns; rows that break one are of no use
}

// Read reads a plan as json_serialize_plan writes it.
func Read(text []byte) (*Plan, error) {
	var doc struct {
		Error   bool   `json:"error"`
		Message string `json:"error_message"`
		Plans   []node `json:"plans"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	if doc.Error {
		return nil, fmt.Errorf("plan the statement: %s", doc.Message)
	}
	if len(doc.Plans) != 1 {
		return nil, fmt.Errorf("read the plan: %d plans for one statement", len(doc.Plans))
	}
	w := walker{plan: &Plan{}, ctes: map[int]columns{}}
	w.walk(&doc.Plans[0], nil)
	if w.lost {
		return nil, errLost
	}
	return w.plan, nil
}

// errLost says that the plan leaves out a part of the statement because it can have no
// rows. Which tables that part read cannot be told.
var errLost = errors.New("read the plan: a part of it is left out")

// node is one operator of a plan.
type node struct {
	Type          string          `json:"type"`
	Children      []node          `json:"children"`
	Names         []string        `json:"names"`
	ReturnedTypes []logicalType   `json:"returned_types"`
	ColumnIndexes []columnIndex   `json:"column_indexes"`
	ProjectionIDs []int           `json:"projection_ids"`
	TableFilters  *tableFilters   `json:"table_filters"`
	FunctionData  json.RawMessage `json:"function_data"`
	Function      string          `json:"name"`
	Expressions   []expression    `json:"expressions"`
	ExtraInfo     struct {
		Sample json.RawMessage `json:"sample_options"`
	} `json:"extra_info"`
	Kept         []int             `json:"projection_map"`
	KeptLeft     []int             `json:"left_projection_map"`
	KeptRight    []int             `json:"right_projection_map"`
	JoinType     string            `json:"join_type"`
	Conditions   []condition       `json:"conditions"`
	Groups       []expression      `json:"groups"`
	GroupingSets []json.RawMessage `json:"grouping_sets"`
	DistinctType string            `json:"distinct_type"`
	TableIndex   int               `json:"table_index"`
	CTE          int               `json:"cte_index"`
	ChunkTypes   []logicalType     `json:"chunk_types"`
	Eliminated   []expression      `json:"duplicate_eliminated_columns"`
	Flipped      bool              `json:"delim_flipped"`
}

// condition is one of those that a join's rows must meet.
type condition struct {
	Left       *expression `json:"left"`
	Right      *expression `json:"right"`
	Comparison string      `json:"comparison"`
}

type columnIndex struct {
	Index    uint64        `json:"index"`
	Children []columnIndex `json:"child_indexes"`
}

// walker collects the scans of a plan and what links them.
type walker struct {
	plan *Plan
	lost bool
	ctes map[int]columns // what each WITH gives, by its number
	// outer is what the correlated subqueries that are walked read of the statements around
	// them, the innermost last.
	outer []columns
}

// walk visits n and says where its columns come from; above is the filter that takes its
// rows, if it is one.
func (w *walker) walk(n, above *node) columns {
	children := make([]columns, len(n.Children))
	for i := range n.Children {
		var filter *node
		if n.Type == "LOGICAL_FILTER" {
			filter = n
		}
		correlated := n.Type == "LOGICAL_DELIM_JOIN" && i == 1
		if correlated {
			w.outer = append(w.outer, n.eliminated(children[0]))
		}
		children[i] = w.walk(&n.Children[i], filter)
		if correlated {
			w.outer = w.outer[:len(w.outer)-1]
		}
		if n.Type == "LOGICAL_MATERIALIZED_CTE" && i == 0 {
			w.ctes[n.TableIndex] = children[0].any()
		}
	}
	switch n.Type {
	case "LOGICAL_EMPTY_RESULT":
		w.lost = true
		return nil
	case "LOGICAL_GET":
		return w.scan(n, above)
	case "LOGICAL_CTE_REF":
		return w.ctes[n.CTE]
	case "LOGICAL_DELIM_GET":
		return w.outerOf(n)
	case "LOGICAL_COMPARISON_JOIN", "LOGICAL_DELIM_JOIN":
		w.link(n, children[0], children[1])
	}
	return n.pass(children)
}

// scan takes in a reading of a table, and the filter above it.
func (w *walker) scan(n, above *node) columns {
	out := n.output()
	list := make(columns, len(out))
	for i := range list {
		list[i].scan = -1
	}
	var table struct{ Schema, Table string }
	if n.Function != "seq_scan" || json.Unmarshal(n.FunctionData, &table) != nil || table.Table == "" {
		return list // a table function, which the coordinator calls itself
	}
	s := Scan{Schema: table.Schema, Table: table.Table, Columns: n.columns()}
	if !n.sampled() {
		s.Where = n.predicates(above)
	}
	for i, c := range out {
		list[i] = lineage{scan: len(w.plan.Scans), column: c, narrow: !n.sampled()}
	}
	w.plan.Scans = append(w.plan.Scans, s)
	return list
}

// columns are those that a scan reads, in the table's order.
func (n *node) columns() []string {
	read := make([]bool, len(n.Names))
	for _, c := range n.ColumnIndexes {
		if c.Index < uint64(len(read)) {
			read[c.Index] = true
		}
	}
	var list []string
	for i, name := range n.Names {
		if read[i] {
			list = append(list, name)
		}
	}
	return list
}

// sampled says whether the scan takes only some rows, by chance.
func (n *node) sampled() bool {
	return len(n.ExtraInfo.Sample) > 0 && string(n.ExtraInfo.Sample) != "null"
}

// predicates are those of the scan itself and of the filter above it, as far as they can
// be written as SQL.
func (n *node) predicates(above *node) []string {
	var list []string
	if n.TableFilters != nil {
		for _, f := range n.TableFilters.Filters {
			if c, ok := n.column(f.Key); ok {
				if sql, ok := f.Value.sql(c); ok {
					list = append(list, sql)
				}
			}
		}
	}
	if above == nil {
		return list
	}
	out := n.output()
	for i := range above.Expressions {
		list = append(list, conjuncts(&above.Expressions[i], out)...)
	}
	return list
}

// output are the scan's columns in the order in which it gives them.
func (n *node) output() []column {
	ids := n.ProjectionIDs
	if len(ids) == 0 {
		for i := range n.ColumnIndexes {
			ids = append(ids, i)
		}
	}
	list := make([]column, 0, len(ids))
	for _, id := range ids {
		var c column
		if id >= 0 && id < len(n.ColumnIndexes) {
			c = n.columnAt(n.ColumnIndexes[id])
		}
		list = append(list, c)
	}
	return list
}

// column is the table's column of that number; ok is false for one that a predicate
// cannot be written about.
func (n *node) column(i uint64) (c column, ok bool) {
	for _, index := range n.ColumnIndexes {
		if index.Index == i {
			c = n.columnAt(index)
			return c, c.name != ""
		}
	}
	return column{}, false
}

func (n *node) columnAt(i columnIndex) column {
	if i.Index >= uint64(len(n.Names)) || i.Index >= uint64(len(n.ReturnedTypes)) || len(i.Children) > 0 {
		return column{} // a row's number, or a part of a struct
	}
	return column{n.Names[i.Index], n.ReturnedTypes[i.Index]}
}

// column is a column that a predicate refers to; the zero column is one that cannot be
// written.
type column struct {
	name string
	kind logicalType
}
