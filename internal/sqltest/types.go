package sqltest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// typ is the type of an expression.
type typ int

const (
	whole  typ = iota
	text       // compared byte by byte
	dec        // an exact number
	truth      // a boolean
	day        // a date
	moment     // an instant
	float      // whose sums are exact in any order
	quot       // a float that can be compared but not summed
	huge       // a sum of whole numbers: compared at most
	clock      // a time of day
	words      // a list of texts
	place      // a struct
	parts      // a list of structs
	rough      // a float that depends on the order of rows: answered only
	opaque     // whatever it is, answered only
)

// comparable types can be ordered, grouped and compared.
var comparableTypes = []typ{whole, text, dec, truth, day, moment, float, quot, huge, clock}

// column is one column of a table or a relation.
type column struct {
	name string
	typ  typ
	ref  string // how the scope writes it
}

func (t typ) arrow() arrow.DataType {
	switch t {
	case whole:
		return arrow.PrimitiveTypes.Int64
	case dec:
		return &arrow.Decimal128Type{Precision: 12, Scale: 2}
	case truth:
		return arrow.FixedWidthTypes.Boolean
	case day:
		return arrow.FixedWidthTypes.Date32
	case moment:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case float:
		return arrow.PrimitiveTypes.Float64
	case clock:
		return arrow.FixedWidthTypes.Time64us
	case words:
		return arrow.ListOf(arrow.BinaryTypes.String)
	case place:
		return arrow.StructOf(nullable("city", text.arrow()), nullable("floor", whole.arrow()),
			nullable("gate", arrow.StructOf(nullable("code", text.arrow()), nullable("fee", dec.arrow()))))
	case parts:
		return arrow.ListOf(arrow.StructOf(nullable("k", text.arrow()), nullable("n", whole.arrow())))
	}
	return arrow.BinaryTypes.String
}

func nullable(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

// logical is the type as a descriptor has it.
func (t typ) logical() string {
	switch t {
	case whole:
		return "logicalType: integer"
	case dec:
		return `logicalType: number, physicalType: "decimal(12,2)"`
	case truth:
		return "logicalType: boolean"
	case day:
		return "logicalType: date"
	case moment:
		return "logicalType: timestamp"
	case float:
		return "logicalType: number"
	case clock:
		return "logicalType: time"
	case words:
		return "logicalType: array, items: {logicalType: string}"
	case place:
		return `logicalType: object, properties: [{name: city, logicalType: string}, {name: floor, logicalType: integer}, ` +
			`{name: gate, logicalType: object, properties: [{name: code, logicalType: string}, {name: fee, ` + dec.logical() + `}]}]`
	case parts:
		return "logicalType: array, items: {logicalType: object, properties: [{name: k, logicalType: string}, {name: n, logicalType: integer}]}"
	}
	return "logicalType: string"
}

var (
	items  = []string{"bolt", "nut", "Nut", "saw", "drill", "lamp", "rope", "tape", "glue", "nail", "file", "vice", "plane", "jig"}
	cities = []string{"Oslo", "Rome", "Bern", "Zürich", "Paris", "São Paulo", "Lima", "Kyoto", "Accra", "Quito", "Perth", "Nice"}
	odd    = []string{"", "a", "A", "x%y", "under_score", "it's", "\"quoted\"", "ünïcode", "tab\there", "日本", "😀", "NULL", "a,b", "back\\slash", "0", "007", "1e3"}
)

// domain is the texts that a column holds.
func (c column) domain() []string {
	switch c.name {
	case "item":
		return items
	case "city":
		return cities
	}
	return odd
}

// value is a random value of row i as JSON has it.
func (c column) value(rng *rand.Rand, i int) any {
	switch c.typ {
	case whole:
		switch c.name {
		case "customer":
			return rng.IntN(40)
		case "parent":
			return rng.IntN(i + 1) // so that no row is its own ancestor, but the root
		}
		return rng.IntN(12) - 3
	case dec:
		return fmt.Sprintf("%.2f", float64(rng.IntN(20000)-4000)/100)
	case truth:
		return rng.IntN(2) == 0
	case day:
		return time.Date(2024, 1, 1+rng.IntN(60), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	case moment:
		return time.Date(2024, 1, 1, rng.IntN(300), 0, rng.IntN(3), rng.IntN(2)*500_000_000, time.UTC).Format(time.RFC3339Nano)
	case float:
		return float64(rng.IntN(200)-50) / 8
	case clock:
		return fmt.Sprintf("%02d:%02d:00", rng.IntN(24), rng.IntN(60))
	case words:
		list := make([]any, rng.IntN(4))
		for i := range list {
			list[i] = pick(rng, odd)
		}
		return list
	case place:
		return map[string]any{"city": pick(rng, cities), "floor": maybe(rng, rng.IntN(5)), "gate": maybe(rng, map[string]any{
			"code": pick(rng, odd), "fee": fmt.Sprintf("%.2f", float64(rng.IntN(900))/100)})}
	case parts:
		list := make([]any, rng.IntN(3))
		for i := range list {
			list[i] = map[string]any{"k": pick(rng, odd), "n": maybe(rng, rng.IntN(5))}
		}
		return list
	}
	return pick(rng, c.domain())
}

func pick(rng *rand.Rand, of []string) string { return of[rng.IntN(len(of))] }

func maybe(rng *rand.Rand, v any) any {
	if rng.IntN(6) == 0 {
		return nil
	}
	return v
}
