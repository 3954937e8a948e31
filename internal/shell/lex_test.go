package shell

import (
	"slices"
	"strings"
	"testing"
)

func TestStatements(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want []string
		rest string
	}{
		{"", nil, ""},
		{"select 1", nil, "select 1"},
		{"select 1;", []string{"select 1"}, ""},
		{"select 1; select 2 ;\n select 3", []string{"select 1", "select 2"}, "select 3"},
		{"select ';' ; select \";\";", []string{"select ';'", "select \";\""}, ""},
		{"select 'it''s;' ;", []string{"select 'it''s;'"}, ""},
		{`select E'it\';s' ;`, []string{`select E'it\';s'`}, ""},
		{"select 1 -- one;\n;", []string{"select 1 -- one;"}, ""},
		{"select /* ; /* ; */ ; */ 1;", []string{"select /* ; /* ; */ ; */ 1"}, ""},
		{"select $$ a;b $$, $t$;$$;$t$;", []string{"select $$ a;b $$, $t$;$$;$t$"}, ""},
		{"select $a, $1 ;", []string{"select $a, $1"}, ""},
		{";;; -- nothing\n;", nil, ""},
		{"select 'open;", nil, "select 'open;"},
		{"select /* open;", nil, "select /* open;"},
		{"select $$ open;", nil, "select $$ open;"},
		{"select '日本;語' as \"名;前\";", []string{"select '日本;語' as \"名;前\""}, ""},
		{"select 1 -- the end;", nil, "select 1 -- the end;"},
	} {
		got, rest := split(c.sql)
		if !slices.Equal(got, c.want) || rest != c.rest {
			t.Errorf("split(%q) = %q, %q; want %q, %q", c.sql, got, rest, c.want, c.rest)
		}
	}
	if got := Statements("select 1; select 2\n-- two"); !slices.Equal(got, []string{"select 1", "select 2\n-- two"}) {
		t.Errorf("Statements = %q", got)
	}
	if got := Statements("select 1;\n-- the end\n"); !slices.Equal(got, []string{"select 1"}) {
		t.Errorf("Statements = %q", got)
	}
}

// All tokens together are the text, whatever it is.
func FuzzLex(f *testing.F) {
	for _, s := range []string{"select 1", "'", "\"", "$", "$a$", "/*", "--", "e'\\", "\xff\x00;", "1.5e3;x'ab'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		var b strings.Builder
		for _, tok := range lex(sql) {
			if tok.text == "" || tok.at != b.Len() {
				t.Fatalf("token %+v after %q", tok, b.String())
			}
			b.WriteString(tok.text)
		}
		if b.String() != sql {
			t.Errorf("the tokens of %q are %q", sql, b.String())
		}
	})
}
