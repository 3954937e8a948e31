package federate

import (
	"encoding/json"
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
	p := Plan{Scans: []Scan{
		{Table: "0", Columns: []string{"a"}, Where: []string{"a = 1", "a < 3"}}, {Table: "0", Columns: []string{"b", "a"}, Where: []string{"b = 2"}},
		{Table: "1", Columns: []string{"c"}, Where: []string{"c = 2"}}, {Table: "1"}, {Table: "x"},
	}}
	got := p.Fetches(3, func(s *Scan) (int, bool) { return int(s.Table[0] - '0'), s.Table != "x" })
	if f := got[0]; len(f.Columns) != 2 || f.Where != "(a = 1 AND a < 3) OR (b = 2)" {
		t.Errorf("the first: %+v", f)
	}
	if f := got[1]; len(f.Columns) != 1 || f.Where != "" || got[2] != nil {
		t.Errorf("the others: %+v, %+v", f, got[2])
	}
}
