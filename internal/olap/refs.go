package olap

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// TableRef is a table's name as a statement writes it.
type TableRef struct {
	Schema string // empty for a lone name
	Name   string
}

func (r TableRef) String() string {
	if r.Schema == "" {
		return r.Name
	}
	return r.Schema + "." + r.Name
}

// TablesIn are the tables that one SELECT names, each once, in order of the names.
// Names that the statement defines itself (WITH) are not among them, and neither are
// those that it computes (query_table).
func (db *DB) TablesIn(ctx context.Context, sql string) ([]TableRef, error) {
	r, err := db.pool.acquire(ctx)
	if err != nil {
		return nil, refused("read the statement", err)
	}
	defer db.pool.release(r)
	tree, err := parse(ctx, r.conn, sql)
	if err != nil {
		return nil, refused("read the statement", err)
	}
	if tree.Error {
		hint := ""
		if strings.Contains(tree.Message, "Only SELECT") {
			hint = "send a SELECT"
		}
		return nil, fault.New(fault.Rejected, hint, "read the statement: %w", newDuckError(tree.Message))
	}
	if len(tree.Statements) != 1 {
		return nil, refused("read the statement", errSeveral)
	}
	w := walker{refs: map[TableRef]bool{}}
	w.walk(tree.Statements[0], nil)
	return w.list(), nil
}

// tablesIn is TablesIn for a statement that is about to run; all says that the names
// cannot be told, so that every table may be meant.
func tablesIn(ctx context.Context, c *conn, sql string) (refs []TableRef, all bool, err error) {
	tree, err := parse(ctx, c, sql)
	if err != nil {
		return nil, false, err
	}
	if tree.Error || len(tree.Statements) != 1 {
		return nil, true, nil
	}
	w := walker{refs: map[TableRef]bool{}}
	w.walk(tree.Statements[0], nil)
	return w.list(), w.computed, nil
}

type syntax struct {
	Error      bool   `json:"error"`
	Message    string `json:"error_message"`
	Statements []any  `json:"statements"`
}

func parse(ctx context.Context, c *conn, sql string) (syntax, error) {
	var tree syntax
	rows, err := c.rowsOf(ctx, "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", sql)
	if err != nil {
		return tree, err
	}
	if err := json.Unmarshal([]byte(rows[0][0].(string)), &tree); err != nil {
		return tree, fmt.Errorf("read the syntax tree: %w", err)
	}
	return tree, nil
}

// walker collects table names from a syntax tree.
type walker struct {
	refs     map[TableRef]bool
	computed bool
}

func (w *walker) list() []TableRef {
	return slices.SortedFunc(maps.Keys(w.refs), func(a, b TableRef) int {
		return strings.Compare(a.String(), b.String())
	})
}

// walk visits node; scope holds the lower-case names that WITH defines around it.
func (w *walker) walk(node any, scope map[string]bool) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			w.walk(child, scope)
		}
	case map[string]any:
		scope = w.with(n, scope)
		w.visit(n, scope)
		for key, child := range n {
			if key != "cte_map" {
				w.walk(child, scope)
			}
		}
	}
}

func (w *walker) visit(n map[string]any, scope map[string]bool) {
	if n["type"] == "BASE_TABLE" {
		schema, _ := n["schema_name"].(string)
		name, _ := n["table_name"].(string)
		if schema != "" || !scope[strings.ToLower(name)] {
			w.refs[TableRef{schema, name}] = true
		}
	}
	if name, _ := n["function_name"].(string); name == "query" || name == "query_table" {
		w.computed = true
	}
}

// with walks what the node's WITH defines and returns the scope of the rest. A name is
// known to the definitions after it, and to its own only when that is recursive.
func (w *walker) with(n map[string]any, scope map[string]bool) map[string]bool {
	ctes, _ := n["cte_map"].(map[string]any)
	list, _ := ctes["map"].([]any)
	if len(list) == 0 {
		return scope
	}
	inner := maps.Clone(scope)
	if inner == nil {
		inner = map[string]bool{}
	}
	for _, item := range list {
		entry, _ := item.(map[string]any)
		name, _ := entry["key"].(string)
		name = strings.ToLower(name)
		body := inner
		if recursive(entry["value"]) {
			body = maps.Clone(inner)
			body[name] = true
		}
		w.walk(entry["value"], body)
		inner[name] = true
	}
	return inner
}

func recursive(cte any) bool {
	value, _ := cte.(map[string]any)
	query, _ := value["query"].(map[string]any)
	node, _ := query["node"].(map[string]any)
	return node["type"] == "RECURSIVE_CTE_NODE"
}
