package olap

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// sqlType is the DuckDB type that holds t without loss.
func sqlType(t arrow.DataType) (string, error) {
	switch t := t.(type) {
	case *arrow.Decimal128Type:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale), nil
	case *arrow.TimestampType:
		return timestampType(t), nil
	case *arrow.StructType:
		fields := make([]string, t.NumFields())
		for i, f := range t.Fields() {
			ft, err := sqlType(f.Type)
			if err != nil {
				return "", fmt.Errorf("%s: %w", f.Name, err)
			}
			fields[i] = ident(f.Name) + " " + ft
		}
		return "STRUCT(" + strings.Join(fields, ", ") + ")", nil
	case *arrow.MapType:
		key, err := sqlType(t.KeyType())
		if err != nil {
			return "", err
		}
		item, err := sqlType(t.ItemType())
		if err != nil {
			return "", err
		}
		return "MAP(" + key + ", " + item + ")", nil
	case arrow.ListLikeType:
		item, err := sqlType(t.Elem())
		if err != nil {
			return "", err
		}
		return item + "[]", nil
	}
	if name, ok := plainType(t.ID()); ok {
		return name, nil
	}
	return "", fmt.Errorf("a table cannot hold the type %s", t)
}

func timestampType(t *arrow.TimestampType) string {
	switch {
	case t.TimeZone != "":
		return "TIMESTAMPTZ"
	case t.Unit == arrow.Nanosecond:
		return "TIMESTAMP_NS"
	case t.Unit == arrow.Millisecond:
		return "TIMESTAMP_MS"
	case t.Unit == arrow.Second:
		return "TIMESTAMP_S"
	}
	return "TIMESTAMP"
}

func plainType(id arrow.Type) (string, bool) {
	switch id {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return "VARCHAR", true
	case arrow.INT64:
		return "BIGINT", true
	case arrow.INT32:
		return "INTEGER", true
	case arrow.INT16:
		return "SMALLINT", true
	case arrow.INT8:
		return "TINYINT", true
	case arrow.UINT64:
		return "UBIGINT", true
	case arrow.UINT32:
		return "UINTEGER", true
	case arrow.UINT16:
		return "USMALLINT", true
	case arrow.UINT8:
		return "UTINYINT", true
	case arrow.FLOAT64:
		return "DOUBLE", true
	case arrow.FLOAT32:
		return "FLOAT", true
	case arrow.BOOL:
		return "BOOLEAN", true
	case arrow.DATE32, arrow.DATE64:
		return "DATE", true
	case arrow.TIME32, arrow.TIME64:
		return "TIME", true
	case arrow.BINARY, arrow.LARGE_BINARY:
		return "BLOB", true
	case arrow.INTERVAL_MONTH_DAY_NANO, arrow.DURATION:
		return "INTERVAL", true
	case arrow.NULL:
		return "INTEGER", true // all null; DuckDB's own choice for an untyped NULL
	}
	return "", false
}
