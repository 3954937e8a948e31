package federate

// Link says that the rows of one scan tell which rows of another one matter: those whose
// column has a value that is in From's column. All others can be left out, and the answer
// is the same, whether or not From's rows were chosen by links themselves.
type Link struct {
	From, To             int // scans of the plan
	FromColumn, ToColumn string
	Kind                 string // the columns' type in SQL
	Nulls                bool   // rows with NULL matter too
}

// lineage says where a column of an operator comes from.
type lineage struct {
	scan   int // whose column every value is, or NULL; -1 when that cannot be told
	column column
	// narrow: to leave out rows of the operator by this column's value is the same as to
	// leave out rows of the scan by it.
	narrow bool
}

// columns are those that an operator gives, in their order; nil when that cannot be told.
type columns []lineage

// any is the columns where to leave out rows of theirs is not the same as to leave out
// rows of the scans.
func (c columns) any() columns {
	list := make(columns, len(c))
	for i, l := range c {
		l.narrow = false
		list[i] = l
	}
	if c == nil {
		return nil
	}
	return list
}

// kept are the columns of those numbers, all when there is none.
func (c columns) kept(numbers []int) columns {
	if len(numbers) == 0 || c == nil {
		return c
	}
	list := make(columns, len(numbers))
	for i, n := range numbers {
		if n < 0 || n >= len(c) {
			return nil
		}
		list[i] = c[n]
	}
	return list
}

// of is the column that the expression is.
func (c columns) of(e *expression) lineage {
	if e == nil || e.Class != "BOUND_REF" || e.Index >= uint64(len(c)) || !c[e.Index].column.kind.is(e.ReturnType) {
		return lineage{scan: -1}
	}
	return c[e.Index]
}

// beside are the columns of both, which have to be known to know where the second begin.
func (c columns) beside(other columns) columns {
	if c == nil || other == nil {
		return nil
	}
	return append(append(columns{}, c...), other...)
}

// pass is what n gives of its children's columns.
func (n *node) pass(children []columns) columns {
	switch n.Type {
	case "LOGICAL_FILTER":
		return children[0].kept(n.Kept)
	case "LOGICAL_PROJECTION":
		return children[0].each(n.Expressions)
	case "LOGICAL_DISTINCT":
		if n.DistinctType != "DISTINCT" {
			return children[0].any()
		}
		return children[0]
	case "LOGICAL_LIMIT", "LOGICAL_SAMPLE":
		return children[0].any()
	case "LOGICAL_AGGREGATE_AND_GROUP_BY":
		list := children[0].each(n.Groups)
		if len(n.GroupingSets) > 1 {
			list = list.any()
		}
		return append(list, unknown(len(n.Expressions))...)
	case "LOGICAL_WINDOW":
		return children[0].any().beside(unknown(len(n.Expressions)))
	case "LOGICAL_CROSS_PRODUCT":
		return children[0].beside(children[1])
	case "LOGICAL_COMPARISON_JOIN", "LOGICAL_DELIM_JOIN":
		return n.joined(children[0], children[1])
	case "LOGICAL_MATERIALIZED_CTE":
		return children[1]
	}
	return nil
}

// each are the columns that expressions over c give.
func (c columns) each(list []expression) columns {
	out := make(columns, len(list))
	for i := range list {
		out[i] = c.of(&list[i])
	}
	return out
}

// eliminated are the columns of the left side that the correlated subquery on the right reads,
// each combination of values once; nil when that cannot be told.
func (n *node) eliminated(left columns) columns {
	if n.Flipped || left == nil {
		return nil
	}
	return left.each(n.Eliminated).any()
}

// outerOf is what a correlated subquery reads of the statement around it. In a subquery of
// a subquery the plan does not tell which statement that is.
func (w *walker) outerOf(n *node) columns {
	list := unknown(len(n.ChunkTypes))
	if len(w.outer) != 1 || len(w.outer[0]) != len(list) {
		return list
	}
	for i, l := range w.outer[0] {
		if l.scan >= 0 && l.column.kind.is(n.ChunkTypes[i]) {
			list[i] = l
		}
	}
	return list
}

// unknown are n columns that come from nowhere.
func unknown(n int) columns {
	list := make(columns, n)
	for i := range list {
		list[i].scan = -1
	}
	return list
}

// joined is what a join gives.
func (n *node) joined(left, right columns) columns {
	l, r := left.kept(n.KeptLeft), right.kept(n.KeptRight)
	switch n.JoinType {
	case "INNER":
		return l.beside(r)
	case "LEFT", "SINGLE":
		return l.beside(r.any())
	case "RIGHT":
		return l.any().beside(r)
	case "OUTER":
		return l.any().beside(r.any())
	case "SEMI", "ANTI":
		return l
	case "MARK":
		return l.beside(unknown(1))
	}
	return nil
}

// link adds what the conditions of a join say of its sides: which rows of one find no
// partner in the other and are of no use then.
func (w *walker) link(n *node, left, right columns) {
	toLeft := map[string]bool{"INNER": true, "RIGHT": true, "SEMI": true}[n.JoinType]
	toRight := map[string]bool{"INNER": true, "LEFT": true, "SINGLE": true, "SEMI": true, "ANTI": true}[n.JoinType]
	for _, c := range n.Conditions {
		if c.Comparison != "COMPARE_EQUAL" && c.Comparison != "COMPARE_NOT_DISTINCT_FROM" {
			continue
		}
		l, r := left.of(c.Left), right.of(c.Right)
		if l.scan < 0 || r.scan < 0 || l.scan == r.scan || !l.column.kind.is(r.column.kind) {
			continue
		}
		nulls := c.Comparison == "COMPARE_NOT_DISTINCT_FROM"
		if toRight && r.narrow {
			w.add(l, r, nulls)
		}
		if toLeft && l.narrow {
			w.add(r, l, nulls)
		}
	}
}

// keyKinds are the types of columns by whose values rows are chosen.
var keyKinds = map[string]bool{
	"TINYINT": true, "SMALLINT": true, "INTEGER": true, "BIGINT": true, "UTINYINT": true, "USMALLINT": true,
	"UINTEGER": true, "UBIGINT": true, "VARCHAR": true, "DATE": true,
}

func (w *walker) add(from, to lineage, nulls bool) {
	kind, ok := to.column.kind.sql()
	if !ok || !keyKinds[kind] {
		return
	}
	link := Link{from.scan, to.scan, from.column.name, to.column.name, kind, nulls}
	for i, l := range w.plan.Links {
		nulls := l.Nulls && link.Nulls // if either may leave out rows with NULL, so may both
		if l.Nulls = link.Nulls; l == link {
			w.plan.Links[i].Nulls = nulls
			return
		}
	}
	w.plan.Links = append(w.plan.Links, link)
}
