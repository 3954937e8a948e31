package federate

import (
	"encoding/json"
	"strings"
)

// Cut puts another table in place of each SELECT in brackets for which take gives its name;
// of one that is not taken, those within are offered.
func Cut(sql string, take func(part string) (table string, ok bool)) string {
	var b strings.Builder
	cut(&b, tokens(sql), take)
	return b.String()
}

func cut(b *strings.Builder, list []token, take func(string) (string, bool)) {
	for i := 0; i < len(list); i++ {
		end := closing(list, i)
		if list[i].text != "(" || end < 0 || !selects(list[i+1:end]) {
			b.WriteString(list[i].text)
			continue
		}
		if table, ok := take(joined(list[i+1 : end])); ok {
			b.WriteString("(SELECT * FROM " + table + ")")
		} else {
			b.WriteString("(")
			cut(b, list[i+1:end], take)
			b.WriteString(")")
		}
		i = end
	}
}

// closing is where the bracket that opens at i is closed, -1 where none is.
func closing(list []token, i int) int {
	depth := 0
	for ; i < len(list); i++ {
		switch list[i].text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func selects(list []token) bool {
	for _, t := range list {
		if t.kind != space {
			return t.kind == word && (strings.EqualFold(t.text, "SELECT") || strings.EqualFold(t.text, "WITH") || strings.EqualFold(t.text, "FROM"))
		}
	}
	return false
}

func joined(list []token) string {
	var b strings.Builder
	for _, t := range list {
		b.WriteString(t.text)
	}
	return b.String()
}

// Steady says that a SELECT means the same wherever and whenever it is answered: it has no
// parameters, and names nothing that tells of chance, the moment, or who answers.
func Steady(sql string) bool {
	for _, t := range tokens(sql) {
		name := strings.ToLower(strings.Trim(t.text, `"`))
		if t.kind == parameter || (t.kind == word || t.kind == quoted) && (unsteady[name] || momentCalls[name] || hasPrefix(name, "current_", "get_current_", "duckdb_", "pragma_", "pg_", "txid_", "information_schema", "has_", "uuid", "gen_random", "local")) {
			return false
		}
	}
	return true
}

// unsteady are functions that say something else each time, or of whoever answers, beside
// those that tell the moment.
// TestFunctionsThatAreNotPureAreUnsteady fails when an engine has others.
var unsteady = map[string]bool{
	"random": true, "version": true, "user": true, "session_user": true,
	"setseed": true, "nextval": true, "currval": true, "getvariable": true, "tablesample": true, "sample": true,
	"rowid": true, "error": true, "sleep_ms": true, "stats": true, "write_log": true, "histogram": true, "summary": true, "summarize": true, "describe": true, "show": true,
}

func hasPrefix(name string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// Defines says whether a statement may give the name to a SELECT of its own: WITH name AS (…).
func Defines(sql, name string) bool {
	var list []token
	with := false
	for _, t := range tokens(sql) {
		if t.kind != space {
			list = append(list, t)
		}
		with = with || t.kind == word && strings.EqualFold(t.text, "WITH")
	}
	for i, t := range list[:max(len(list)-1, 0)] {
		next := strings.ToUpper(list[i+1].text)
		if with && strings.EqualFold(strings.Trim(t.text, `"`), name) && (next == "AS" || next == "(" || next == "USING") {
			return true
		}
	}
	return false
}

// Reduces says whether the plan of a SELECT gives less than the rows that its predicates
// leave: groups, some first rows, values that differ. few says that they are hardly any.
func Reduces(plan []byte) (reduces, few bool) {
	var doc struct {
		Plans []node `json:"plans"`
	}
	if json.Unmarshal(plan, &doc) != nil || len(doc.Plans) != 1 {
		return false, false
	}
	filtered := false
	for n := &doc.Plans[0]; ; n = &n.Children[0] {
		switch n.Type {
		case "LOGICAL_AGGREGATE_AND_GROUP_BY":
			return true, len(n.Groups) == 0 || filtered
		case "LOGICAL_LIMIT", "LOGICAL_TOP_N":
			return true, true
		case "LOGICAL_DISTINCT":
			return true, false
		case "LOGICAL_FILTER":
			filtered = true
		case "LOGICAL_PROJECTION", "LOGICAL_ORDER_BY":
		default:
			return false, false
		}
		if len(n.Children) != 1 {
			return false, false
		}
	}
}
