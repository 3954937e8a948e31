package olap

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

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
// Names that the statement defines itself (WITH) are not among them. What Query would
// not run is Rejected.
func (db *DB) TablesIn(ctx context.Context, sql string) ([]TableRef, error) {
	r, err := db.pool.acquire(ctx)
	if err != nil {
		return nil, refused("read the statement", err)
	}
	defer db.pool.release(r)
	refs, err := db.examined(ctx, r.conn, sql)
	if err != nil {
		return nil, refused("read the statement", err)
	}
	return refs, nil
}

// examined is examine, which is not asked twice about one text: dashboards and scripts
// send the same statements over and over.
func (db *DB) examined(ctx context.Context, c *conn, sql string) ([]TableRef, error) {
	if refs, ok := db.texts.get(sql); ok {
		return refs, nil
	}
	refs, err := examine(ctx, c, sql)
	if err == nil {
		db.texts.put(sql, refs)
	}
	return refs, err
}

// texts remembers what statements were found to name.
type texts struct {
	mu   sync.Mutex
	refs map[string][]TableRef
}

// Beyond so many texts, or so long a text, nothing is remembered.
const (
	mostTexts   = 256
	longestText = 4 << 10
)

func (t *texts) get(sql string) ([]TableRef, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refs, ok := t.refs[sql]
	return refs, ok
}

func (t *texts) put(sql string, refs []TableRef) {
	if len(sql) > longestText {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refs == nil || len(t.refs) >= mostTexts {
		t.refs = map[string][]TableRef{}
	}
	t.refs[sql] = refs
}

// examine says which tables somebody's statement names, and refuses one that may not
// run. It does so before the statement is prepared: preparing EXPORT DATABASE makes
// a folder, and EXPLAIN ANALYZE runs whatever it explains.
func examine(ctx context.Context, c *conn, sql string) ([]TableRef, error) {
	tree, err := parse(ctx, c, sql)
	if err != nil {
		return nil, err
	}
	if tree.Error {
		if explained := explain.FindString(sql); explained != "" {
			tree, err = parse(ctx, c, sql[len(explained):])
			if err != nil {
				return nil, err
			}
		}
	}
	if tree.Error {
		if strings.Contains(tree.Message, "Only SELECT") {
			return nil, fault.New(fault.Rejected, "send a SELECT", "only SELECT and EXPLAIN of a SELECT can be queried")
		}
		return nil, newDuckError(tree.Message)
	}
	if len(tree.Statements) != 1 {
		return nil, errSeveral
	}
	w := walked(tree)
	if w.forbidden != "" {
		return nil, fault.New(fault.Rejected, "read tables only, no files, settings or extensions", "%s cannot be queried", w.forbidden)
	}
	return w.tables(), nil
}

func walked(tree syntax) *walker {
	w := &walker{refs: map[TableRef]bool{}}
	for _, statement := range tree.Statements {
		w.walk(statement, nil)
	}
	return w
}

func (w *walker) tables() []TableRef {
	return slices.SortedFunc(maps.Keys(w.refs), func(a, b TableRef) int {
		return strings.Compare(a.String(), b.String())
	})
}

// explain is what comes before the statement that is explained.
var explain = regexp.MustCompile(`(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN\s+(?:ANALYZE\s+)?(?:\([^)]*\)\s*)?`)

type syntax struct {
	Error      bool   `json:"error"`
	Message    string `json:"error_message"`
	Statements []any  `json:"statements"`
}

func parse(ctx context.Context, c *conn, sql string) (syntax, error) {
	var tree syntax
	rows, err := c.keptRows(ctx, "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", sql)
	if err != nil {
		return tree, err
	}
	if err := json.Unmarshal([]byte(rows[0][0].(string)), &tree); err != nil {
		return tree, fmt.Errorf("read the syntax tree: %w", err)
	}
	return tree, nil
}

// walker collects table names from a syntax tree, and what is not allowed.
type walker struct {
	refs      map[TableRef]bool
	selects   int
	forbidden string // what may not be queried, in words
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
	switch n["type"] {
	case "SELECT_NODE":
		if w.selects++; w.selects > mostSelects {
			w.forbid(fmt.Sprintf("a statement of more than %d SELECTs", mostSelects))
		}
	case "BASE_TABLE":
		schema, _ := n["schema_name"].(string)
		name, _ := n["table_name"].(string)
		catalog, _ := n["catalog_name"].(string)
		if schema != "" || !scope[strings.ToLower(name)] {
			w.table(catalog, schema, name)
		}
	case "TABLE_FUNCTION":
		w.tableFunction(n)
	case "SHOW_REF":
		w.shown(n)
	case "FUNCTION":
		if name, _ := n["function_name"].(string); forbiddenFunctions[strings.ToLower(name)] {
			w.forbid("the function " + name)
		}
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

// SQL is the table's name as a statement writes it.
func (r TableRef) SQL() string {
	if r.Schema == "" {
		return ident(r.Name)
	}
	return ident(r.Schema) + "." + ident(r.Name)
}
