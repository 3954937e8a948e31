package sqltest

import (
	"strings"
	"testing"
)

func make1000(t *testing.T) ([]*Table, []Statement) {
	tables, err := Tables(1)
	if err != nil {
		t.Fatal(err)
	}
	var list []Statement
	for seed := range uint64(1000) {
		list = append(list, Make(tables, seed))
	}
	return tables, list
}

func TestAThousandStatementsHaveEverything(t *testing.T) {
	_, list := make1000(t)
	for _, part := range []string{
		" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " SEMI JOIN ", " ANTI JOIN ", " CROSS JOIN ", " USING (", "LATERAL", "unnest(",
		"WITH RECURSIVE", "NOT MATERIALIZED", "UNION ALL", "INTERSECT", "EXCEPT", "VALUES", "DISTINCT ON", "SELECT DISTINCT", "SELECT *",
		"GROUP BY ROLLUP", "GROUP BY CUBE", "GROUPING SETS", "HAVING", "FILTER (WHERE", "OVER (", "QUALIFY", "ROWS BETWEEN", "string_agg(DISTINCT",
		" NOT IN (SELECT", " IN (SELECT", "NOT EXISTS (", " ALL (SELECT", " ANY (SELECT", ", NULL)", "LIKE", "CASE WHEN", "lambda",
		".gate.fee", "INTERVAL", "now()", "$p", "LIMIT", "OFFSET", "NULLS FIRST", "DESC NULLS LAST", `"stock-list"`, "_v1", "range(",
	} {
		n := 0
		for _, s := range list {
			if strings.Contains(s.SQL, part) {
				n++
			}
		}
		if n < 3 {
			t.Errorf("%d of %d statements have %q", n, len(list), part)
		}
	}
}

func TestASeedMakesOneStatement(t *testing.T) {
	tables, list := make1000(t)
	for seed, s := range list {
		if again := Make(tables, uint64(seed)); again.SQL != s.SQL {
			t.Fatalf("seed %d makes %s and %s", seed, s.SQL, again.SQL)
		}
	}
}

func TestSmallerKeepsWhatFails(t *testing.T) {
	tables, list := make1000(t)
	before, after := 0, 0
	for _, s := range list {
		fails := func(s Statement) bool { return strings.Contains(s.SQL, "FULL JOIN") }
		if !fails(s) || len(s.SQL) < 500 {
			continue
		}
		before += len(s.SQL)
		small := Smaller(tables, s, 3000, fails)
		if !fails(small) {
			t.Errorf("%s no longer fails", small.SQL)
		}
		after += len(small.SQL)
	}
	if before == 0 || after*2 > before {
		t.Errorf("statements of %d bytes became only %d", before, after)
	}
}
