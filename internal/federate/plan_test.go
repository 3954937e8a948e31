package federate

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestConstantsAsSQL(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":{"id":"DECIMAL","type_info":{"width":10,"scale":2}},"value":-5}`:                                        `CAST('-0.05' AS DECIMAL(10,2))`,
		`{"type":{"id":"DECIMAL","type_info":{"width":30,"scale":2}},"value":{"upper":66,"lower":17082781258626382356}}`: `CAST('12345678901234567890.12' AS DECIMAL(30,2))`,
		`{"type":{"id":"HUGEINT"},"value":{"upper":-1,"lower":18446744073709551615}}`:                                    `CAST('-1' AS HUGEINT)`,
		`{"type":{"id":"DATE"},"value":-1}`:                                                                              `CAST('1969-12-31' AS DATE)`,
		`{"type":{"id":"TIMESTAMP WITH TIME ZONE"},"value":1577836800123456}`:                                            `CAST('2020-01-01 00:00:00.123456+00' AS TIMESTAMP WITH TIME ZONE)`,
		`{"type":{"id":"TIMESTAMP"},"value":9223372036854775807}`:                                                        "",
		`{"type":{"id":"VARCHAR"},"value":"it's"}`:                                                                       `CAST('it''s' AS VARCHAR)`,
		`{"type":{"id":"VARCHAR"},"value":"\u0000"}`:                                                                     "",
		`{"type":{"id":"DOUBLE"},"value":1e+300}`:                                                                        `CAST('1e+300' AS DOUBLE)`,
		`{"type":{"id":"DOUBLE"},"value":"Infinity"}`:                                                                    "",
		`{"type":{"id":"BLOB"},"value":"a"}`:                                                                             "",
		`{"type":{"id":"VARCHAR","type_info":{"alias":"JSON"}},"value":"a"}`:                                             "",
		`{"type":{"id":"BIGINT"},"is_null":true}`:                                                                        `CAST(NULL AS BIGINT)`,
	} {
		var v value
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got, ok := v.sql(); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %t; want %s", text, got, ok, want)
		}
	}
}

func TestPlansThatCannotBeRead(t *testing.T) {
	for _, text := range []string{
		"", `{"error":true,"error_message":"no"}`, `{"plans":[]}`, `{"plans":[{"type":"LOGICAL_EMPTY_RESULT"}]}`,
		`{"plans":[{"type":"LOGICAL_UNION","children":[{"type":"LOGICAL_EMPTY_RESULT"}]}]}`,
	} {
		if plan, err := Read([]byte(text)); err == nil {
			t.Errorf("Read(%s) = %v; want an error", text, plan)
		}
	}
}

func TestATableReadTwiceIsFetchedForBoth(t *testing.T) {
	p := Plan{Scans: []Scan{{Columns: []string{"a"}}, {Columns: []string{"b", "a"}}, {}, {Columns: []string{"x"}}}}
	columns, read := p.Columns(3, []int{0, 0, 1, -1})
	if fmt.Sprint(columns, read) != "[[a b] [] []] [true true false]" {
		t.Errorf("columns %v of %v", columns, read)
	}
	for want, scans := range map[string][][]string{
		"a = 1":                        {{"a = 1"}, {"a = 1"}},
		"(a = 1 AND a < 3) OR (b = 2)": {{"a = 1", "a < 3"}, {"b = 2"}},
		"":                             {{"a = 1"}, nil},
	} {
		if got := Where(scans); got != want {
			t.Errorf("Where(%v) = %q, want %q", scans, got, want)
		}
	}
}
