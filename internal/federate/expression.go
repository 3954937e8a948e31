package federate

import (
	"strings"
)

// expression is an expression of a plan, its names and types bound.
type expression struct {
	Class      string       `json:"expression_class"`
	Type       string       `json:"type"`
	ReturnType logicalType  `json:"return_type"`
	Children   []expression `json:"children"`
	Index      uint64       `json:"index"` // of the column, for BOUND_REF
	Value      *value       `json:"value"`
	Name       string       `json:"name"` // of a function
	Left       *expression  `json:"left"`
	Right      *expression  `json:"right"`
	Child      *expression  `json:"child"`
	Try        bool         `json:"try_cast"`
	Input      *expression  `json:"input"`
	Lower      *expression  `json:"lower"`
	Upper      *expression  `json:"upper"`
	LowerIn    bool         `json:"lower_inclusive"`
	UpperIn    bool         `json:"upper_inclusive"`
	Checks     []check      `json:"case_checks"`
	Else       *expression  `json:"else_expr"`
}

type check struct {
	When *expression `json:"when_expr"`
	Then *expression `json:"then_expr"`
}

// comparisons are the operators that compare two values.
var comparisons = map[string]string{
	"COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_GREATERTHAN": ">",
	"COMPARE_LESSTHANOREQUALTO": "<=", "COMPARE_GREATERTHANOREQUALTO": ">=",
	"COMPARE_DISTINCT_FROM": "IS DISTINCT FROM", "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}

// infix are the functions that are written between their arguments.
var infix = map[string]string{
	"+": "+", "-": "-", "*": "*", "/": "/", "//": "//", "%": "%", "||": "||",
	"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE",
}

// functions are those whose answer depends on their arguments alone, and which are the
// same when they are written by their name. A list of what is allowed: the optimizer has
// functions of its own, and others depend on chance, the session or the moment.
var functions = map[string]bool{
	"prefix": true, "suffix": true, "contains": true, "starts_with": true, "lower": true, "upper": true, "length": true,
	"substring": true, "substr": true, "trim": true, "ltrim": true, "rtrim": true, "replace": true, "concat": true,
	"left": true, "right": true, "strpos": true, "instr": true, "reverse": true, "md5": true, "regexp_matches": true,
	"regexp_full_match": true, "abs": true, "sign": true, "round": true, "floor": true, "ceil": true, "ceiling": true,
	"sqrt": true, "ln": true, "log10": true, "exp": true, "pow": true, "power": true, "greatest": true, "least": true,
	"year": true, "month": true, "day": true, "hour": true, "minute": true, "second": true, "quarter": true, "week": true,
	"dayofweek": true, "isodow": true, "dayofyear": true, "date_part": true, "date_trunc": true, "epoch": true,
	"epoch_ms": true, "last_day": true, "date_diff": true, "datediff": true,
}

// conjuncts are the parts of a predicate that can be written; a part that cannot is left
// out, which makes the predicate weaker.
func conjuncts(e *expression, in []column) []string {
	if e.Class == "BOUND_CONJUNCTION" && e.Type == "CONJUNCTION_AND" {
		var list []string
		for i := range e.Children {
			list = append(list, conjuncts(&e.Children[i], in)...)
		}
		return list
	}
	if text, ok := e.sql(in); ok {
		return []string{text}
	}
	return nil
}

// sql is the whole expression as SQL, given the columns that it refers to by number.
func (e *expression) sql(in []column) (text string, ok bool) {
	switch e.Class {
	case "BOUND_REF":
		return e.ref(in)
	case "BOUND_CONSTANT":
		if e.Value == nil {
			return "", false
		}
		return e.Value.sql()
	case "BOUND_COMPARISON":
		op := comparisons[e.Type]
		return e.between(op, in, e.Left, e.Right)
	case "BOUND_CONJUNCTION":
		return e.conjunction(in)
	case "BOUND_CAST":
		return e.cast(in)
	case "BOUND_OPERATOR":
		return e.operator(in)
	case "BOUND_BETWEEN":
		return e.within(in)
	case "BOUND_CASE":
		return e.cases(in)
	case "BOUND_FUNCTION":
		return e.call(in)
	}
	return "", false
}

func (e *expression) ref(in []column) (string, bool) {
	if e.Index >= uint64(len(in)) {
		return "", false
	}
	c := in[e.Index]
	return ident(c.name), c.name != "" && c.kind.is(e.ReturnType)
}

// between is two operands with an operator between them.
func (e *expression) between(op string, in []column, left, right *expression) (string, bool) {
	if op == "" || left == nil || right == nil {
		return "", false
	}
	list, ok := all(in, left, right)
	if !ok {
		return "", false
	}
	return "(" + list[0] + " " + op + " " + list[1] + ")", true
}

func (e *expression) conjunction(in []column) (string, bool) {
	list, ok := all(in, pointers(e.Children)...)
	op := map[string]string{"CONJUNCTION_AND": " AND ", "CONJUNCTION_OR": " OR "}[e.Type]
	return "(" + strings.Join(list, op) + ")", ok && op != "" && len(list) > 0
}

func (e *expression) cast(in []column) (string, bool) {
	kind, ok := e.ReturnType.sql()
	if !ok || e.Child == nil {
		return "", false
	}
	if _, ok := e.Child.ReturnType.sql(); !ok {
		return "", false
	}
	inner, ok := e.Child.sql(in)
	if e.Try {
		return "TRY_CAST(" + inner + " AS " + kind + ")", ok
	}
	return "CAST(" + inner + " AS " + kind + ")", ok
}

func (e *expression) operator(in []column) (string, bool) {
	list, ok := all(in, pointers(e.Children)...)
	if !ok || len(list) == 0 {
		return "", false
	}
	switch e.Type {
	case "OPERATOR_NOT":
		return "(NOT " + list[0] + ")", len(list) == 1
	case "OPERATOR_IS_NULL":
		return "(" + list[0] + " IS NULL)", len(list) == 1
	case "OPERATOR_IS_NOT_NULL":
		return "(" + list[0] + " IS NOT NULL)", len(list) == 1
	case "COMPARE_IN":
		return "(" + list[0] + " IN (" + strings.Join(list[1:], ", ") + "))", len(list) > 1
	case "COMPARE_NOT_IN":
		return "(" + list[0] + " NOT IN (" + strings.Join(list[1:], ", ") + "))", len(list) > 1
	case "OPERATOR_COALESCE":
		return "coalesce(" + strings.Join(list, ", ") + ")", true
	}
	return "", false
}

func (e *expression) within(in []column) (string, bool) {
	if e.Input == nil || e.Lower == nil || e.Upper == nil {
		return "", false
	}
	list, ok := all(in, e.Input, e.Lower, e.Upper)
	if !ok {
		return "", false
	}
	low, high := ">", "<"
	if e.LowerIn {
		low = ">="
	}
	if e.UpperIn {
		high = "<="
	}
	return "(" + list[0] + " " + low + " " + list[1] + " AND " + list[0] + " " + high + " " + list[2] + ")", true
}

func (e *expression) cases(in []column) (string, bool) {
	var b strings.Builder
	b.WriteString("(CASE")
	for _, c := range e.Checks {
		if c.When == nil || c.Then == nil {
			return "", false
		}
		list, ok := all(in, c.When, c.Then)
		if !ok {
			return "", false
		}
		b.WriteString(" WHEN " + list[0] + " THEN " + list[1])
	}
	if e.Else == nil || len(e.Checks) == 0 {
		return "", false
	}
	last, ok := e.Else.sql(in)
	b.WriteString(" ELSE " + last + " END)")
	return b.String(), ok
}

func (e *expression) call(in []column) (string, bool) {
	if _, ok := e.ReturnType.sql(); !ok {
		return "", false
	}
	list, ok := all(in, pointers(e.Children)...)
	if !ok {
		return "", false
	}
	if op := infix[e.Name]; op != "" {
		if len(list) == 1 && e.Name == "-" {
			return "(- " + list[0] + ")", true
		}
		return "(" + strings.Join(list, " "+op+" ") + ")", len(list) == 2
	}
	return e.Name + "(" + strings.Join(list, ", ") + ")", functions[e.Name] && len(list) > 0
}

// all are several expressions; ok only when each can be written.
func all(in []column, list ...*expression) (texts []string, ok bool) {
	texts = make([]string, len(list))
	for i, e := range list {
		if texts[i], ok = e.sql(in); !ok {
			return nil, false
		}
	}
	return texts, true
}

func pointers(list []expression) []*expression {
	p := make([]*expression, len(list))
	for i := range list {
		p[i] = &list[i]
	}
	return p
}
