package federate

import "fmt"

// logicalType is a type as a plan writes it.
type logicalType struct {
	ID   string `json:"id"`
	Info *struct {
		Alias string `json:"alias"`
		Width int    `json:"width"`
		Scale int    `json:"scale"`
	} `json:"type_info"`
}

// plain are the types that SQL can be written about: their values have literals, and
// they are named in SQL as in a plan.
var plain = map[string]bool{
	"BOOLEAN": true, "TINYINT": true, "SMALLINT": true, "INTEGER": true, "BIGINT": true, "HUGEINT": true,
	"UTINYINT": true, "USMALLINT": true, "UINTEGER": true, "UBIGINT": true, "FLOAT": true, "DOUBLE": true,
	"VARCHAR": true, "DATE": true, "TIMESTAMP": true, "TIMESTAMP WITH TIME ZONE": true,
}

// sql is the type's name in SQL; ok is false for one that no SQL is written about.
func (t logicalType) sql() (name string, ok bool) {
	switch {
	case t.Info != nil && t.Info.Alias != "": // such as JSON, which is more than its VARCHAR
		return "", false
	case t.ID == "DECIMAL" && t.Info != nil:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Info.Width, t.Info.Scale), true
	case t.Info != nil: // a collation, or a type with parts
		return "", false
	}
	return t.ID, plain[t.ID]
}

// is says whether both are the same plain type.
func (t logicalType) is(other logicalType) bool {
	a, ok := t.sql()
	b, same := other.sql()
	return ok && same && a == b
}
