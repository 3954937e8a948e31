package federate

import (
	"strings"
	"testing"
)

func TestBindWritesArgumentsWhereTheParametersAre(t *testing.T) {
	args := map[string]any{"a": "it's", "n": float64(3), "x": 2.5, "none": nil, "yes": true}
	for sql, want := range map[string]string{
		`SELECT $a, $n`:                 `SELECT 'it''s', CAST(3 AS BIGINT)`,
		`SELECT '$a', "$a", $none`:      `SELECT '$a', "$a", NULL`,
		`SELECT 'it''s $a' -- $a`:       `SELECT 'it''s $a' -- $a`,
		`SELECT /* $a /* $a */ $a */ 1`: `SELECT /* $a /* $a */ $a */ 1`,
		`SELECT $$ $a $$, $t$ $a $t$`:   `SELECT $$ $a $$, $t$ $a $t$`,
		`SELECT E'\' $a', x$a, $x`:      `SELECT E'\' $a', x$a, CAST('2.5' AS DOUBLE)`,
		`SELECT "a""$a", $yes+1`:        `SELECT "a""$a", true+1`,
	} {
		if got, err := Bind(sql, args); err != nil || got != want {
			t.Errorf("Bind(%s) = %s, %v; want %s", sql, got, err, want)
		}
	}
	for _, sql := range []string{`SELECT $other`, `SELECT $1`} {
		if got, err := Bind(sql, args); err == nil {
			t.Errorf("Bind(%s) = %s; want an error", sql, got)
		}
	}
	if _, err := Bind("SELECT $a", map[string]any{"a": []string{}}); err == nil {
		t.Error("a list as argument was written")
	}
}

func FuzzTokens(f *testing.F) {
	for _, sql := range []string{"SELECT 1", `$a$ x`, "/* /* */", "'", `E'\`, "\xff$", "ä$1 ?"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		var b strings.Builder
		for _, token := range tokens(sql) {
			if token.text == "" {
				t.Fatal("an empty token")
			}
			b.WriteString(token.text)
		}
		if b.String() != sql {
			t.Fatalf("the tokens of %q are %q", sql, b.String())
		}
	})
}
