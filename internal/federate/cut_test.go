package federate

import (
	"slices"
	"strings"
	"testing"
)

func TestSelectsInBracketsAreCutOut(t *testing.T) {
	for sql, want := range map[string]string{
		`SELECT 1`: `SELECT 1`,
		`SELECT (1 + (2)), f( (SELECT max(a) FROM t))`:                                            `SELECT (1 + (2)), f( (SELECT * FROM x))`,
		`WITH c(k) AS (SELECT a FROM t /* ( */) SELECT * FROM c WHERE k IN ( /* as is */ FROM t)`: `WITH c(k) AS (SELECT * FROM x) SELECT * FROM c WHERE k IN (SELECT * FROM x)`,
		`SELECT * FROM (SELECT b, (SELECT max(a) FROM t) FROM keep)`:                              `SELECT * FROM (SELECT b, (SELECT * FROM x) FROM keep)`,
		`SELECT '(SELECT a FROM t)', "(SELECT a FROM t)" -- (SELECT a FROM t)`:                    `SELECT '(SELECT a FROM t)', "(SELECT a FROM t)" -- (SELECT a FROM t)`,
		`SELECT (SELECT a FROM t`:                            `SELECT (SELECT a FROM t`,
		`SELECT ((SELECT a FROM t) UNION (SELECT b FROM t))`: `SELECT ((SELECT * FROM x) UNION (SELECT * FROM x))`,
	} {
		got := Cut(sql, func(part string) (string, bool) { return "x", !strings.Contains(part, "keep") })
		if got != want {
			t.Errorf("%s\n became %s\n want   %s", sql, got, want)
		}
	}
	var offered []string
	Cut(`SELECT (SELECT (SELECT 1) UNION (FROM a)), (SELECT '1)')`, func(part string) (string, bool) {
		offered = append(offered, part)
		return "", false
	})
	if want := []string{"SELECT (SELECT 1) UNION (FROM a)", "SELECT 1", "FROM a", "SELECT '1)'"}; !slices.Equal(offered, want) {
		t.Errorf("offered %q, want %q", offered, want)
	}
}

func TestWhatIsSteady(t *testing.T) {
	for sql, want := range map[string]bool{
		`SELECT max(a) FROM t WHERE b = 'now()' AND c > DATE '2020-01-01'`: true,
		`SELECT max(a) FROM t WHERE b < now()`:                             false,
		`SELECT max(a) FROM t WHERE b < Current_Date`:                      false,
		`SELECT max(a) FROM t WHERE b = $b`:                                false,
		`SELECT "random"() FROM t`:                                         false,
		`SELECT a FROM t USING SAMPLE 10`:                                  false,
		`SELECT a FROM t, duckdb_tables()`:                                 false,
	} {
		if got := Steady(sql); got != want {
			t.Errorf("%s is steady: %t", sql, got)
		}
	}
}

func TestNamesThatAStatementDefines(t *testing.T) {
	for sql, want := range map[string]bool{
		`WITH flights AS (SELECT 1) SELECT 1`:                          true,
		`WITH a AS (SELECT 1), "Flights" (b) AS (SELECT 1) SELECT 1`:   true,
		`WITH RECURSIVE flights(k) USING KEY (k) AS (SELECT 1) FROM x`: true,
		`WITH a AS (SELECT 1) SELECT flights.b FROM flights`:           false,
		`SELECT flights(a) FROM flights AS f`:                          false,
		``:                                                             false,
	} {
		if got := Defines(sql, "flights"); got != want {
			t.Errorf("%s defines flights: %t", sql, got)
		}
	}
}
