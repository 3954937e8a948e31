package product

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The types of an output.
const (
	Event  = "event"  // append-only
	State  = "state"  // latest by key, with deletes
	Object = "object" // files; its records are their listing
)

// Output is a port that the product offers, and its contract.
type Output struct {
	Name        string        `json:"name" doc:"The port's name, a DNS label."`
	Type        string        `json:"type" doc:"event is append-only; state is the latest record of each key, with deletes; object is files."`
	Description string        `json:"description,omitempty" doc:"What one record of the port is, for people."`
	Grants      []string      `json:"grants,omitzero" doc:"The products that may read the port as an input: names, or \"*\" for every one, as without this line; [] is none."`
	Key         []string      `json:"key,omitempty" doc:"The columns that make the key, in order; a state port must have one."`
	Schema      []Column      `json:"schema,omitempty" doc:"The columns of a record; an object port's are known."`
	Retention   Retention     `json:"retention,omitzero" doc:"Bounds the port's log."`
	Stream      LogStream     `json:"stream,omitzero" doc:"How the port's streams are kept."`
	Quality     []Quality     `json:"quality,omitempty" doc:"What holds for the port's records as a whole."`
	SLA         []SLAProperty `json:"slaProperties,omitempty" doc:"What the product promises about its service."`
}

// The logical types of a column, as in ODCS.
const (
	TypeString    = "string"
	TypeInteger   = "integer" // 64 bit, signed
	TypeNumber    = "number"  // double, or decimal(p,s) by physicalType
	TypeBoolean   = "boolean"
	TypeDate      = "date"
	TypeTimestamp = "timestamp" // an instant, microseconds, UTC
	TypeTime      = "time"      // time of day, microseconds
	TypeObject    = "object"    // Properties are its fields
	TypeArray     = "array"     // Items is its element
)

// Column is an ODCS schema property.
type Column struct {
	Name           string      `json:"name,omitempty" doc:"The column's name; left out only in items."`
	LogicalType    string      `json:"logicalType" doc:"The column's type: integer has 64 bits, timestamp is an instant to the microsecond in UTC, time a time of day."`
	PhysicalType   string      `json:"physicalType,omitempty" doc:"decimal(precision,scale) makes an exact number; otherwise a remark."`
	Description    string      `json:"description,omitempty" doc:"What the column says, for people."`
	BusinessName   string      `json:"businessName,omitempty" doc:"The column's name for people."`
	PhysicalName   string      `json:"physicalName,omitempty" doc:"The column's name in the files that are imported, where it differs."`
	Required       bool        `json:"required,omitempty" doc:"It may be neither null nor missing; implied for key columns."`
	Unique         bool        `json:"unique,omitempty" doc:"A remark for readers."`
	Classification string      `json:"classification,omitempty" doc:"How sensitive it is, such as public or restricted."`
	Tags           []string    `json:"tags,omitempty" doc:"Words to find the column by."`
	Examples       []any       `json:"examples,omitempty" doc:"Values that it may have."`
	Options        TypeOptions `json:"logicalTypeOptions,omitzero" doc:"Narrow the type; every one is checked at the door."`
	Properties     []Column    `json:"properties,omitempty" doc:"The fields of an object."`
	Items          *Column     `json:"items,omitempty" doc:"The element of an array."`
	Quality        []Quality   `json:"quality,omitempty" doc:"Rules; metric invalidValues with arguments.validValues is an enum, checked at the door."`
}

// TypeOptions narrow a logical type. Every one is checked at the door.
type TypeOptions struct {
	MinLength *int     `json:"minLength,omitempty" doc:"The fewest characters of a string."`
	MaxLength *int     `json:"maxLength,omitempty" doc:"The most characters of a string."`
	Pattern   string   `json:"pattern,omitempty" doc:"A regular expression (RE2) that must match somewhere in a string."`
	Minimum   *float64 `json:"minimum,omitempty" doc:"The least integer or number."`
	Maximum   *float64 `json:"maximum,omitempty" doc:"The greatest integer or number."`
	MinItems  *int     `json:"minItems,omitempty" doc:"The fewest items of an array."`
	MaxItems  *int     `json:"maxItems,omitempty" doc:"The most items of an array."`
}

// Quality is an ODCS quality rule. On a column, metric invalidValues with
// arguments.validValues is an enum and is checked at the door; the others describe.
type Quality struct {
	Name          string         `json:"name,omitempty" doc:"The rule's name."`
	Type          string         `json:"type,omitempty" doc:"library (the default) names a metric, sql gives a query, text only says it."`
	Metric        string         `json:"metric,omitempty" doc:"What is counted, for type library."`
	Arguments     map[string]any `json:"arguments,omitempty" doc:"The metric's arguments, such as validValues."`
	Query         string         `json:"query,omitempty" doc:"The statement, for type sql."`
	Description   string         `json:"description,omitempty" doc:"What the rule says, for people."`
	Dimension     string         `json:"dimension,omitempty" doc:"The dimension of quality, such as completeness."`
	Severity      string         `json:"severity,omitempty" doc:"How bad it is when the rule does not hold."`
	Unit          string         `json:"unit,omitempty" doc:"What the bounds count."`
	MustBe        any            `json:"mustBe,omitempty" doc:"The value that the metric or the query must give."`
	MustBeLess    *float64       `json:"mustBeLessThan,omitempty" doc:"The bound that it must stay below."`
	MustBeGreater *float64       `json:"mustBeGreaterThan,omitempty" doc:"The bound that it must stay above."`
}

// The metric and the argument that make a column's enum.
const (
	MetricInvalidValues = "invalidValues"
	ArgumentValidValues = "validValues"
)

// SLAProperty is an ODCS slaProperties entry, such as {property: freshness, value: 5, unit: m}.
type SLAProperty struct {
	Property    string `json:"property" doc:"What is promised, such as freshness."`
	Value       any    `json:"value" doc:"The promised value."`
	Unit        string `json:"unit,omitempty" doc:"The value's unit: s, m, h, d or y for a time."`
	Element     string `json:"element,omitempty" doc:"The column that it is measured on."`
	Driver      string `json:"driver,omitempty" doc:"Why it is promised: regulatory, analytics or operational."`
	Description string `json:"description,omitempty" doc:"What is promised, for people."`
}

// Retention bounds the port's log. Zero fields do not bound.
type Retention struct {
	Age     Duration `json:"age,omitempty" doc:"An event port drops older records, an object port older files."`
	Bytes   Quantity `json:"bytes,omitempty" doc:"An event port drops its oldest records beyond this size; an object port takes no more files."`
	Records int      `json:"records,omitempty" doc:"An event port drops its oldest records beyond this number."`
	Compact bool     `json:"compact,omitempty" doc:"A state port keeps only the latest record of each key; an object port always does."`
}

// bounds says whether anything goes by age, size or number.
func (r *Retention) bounds() bool { return r.Age > 0 || r.Bytes != "" || r.Records > 0 }

// LogStream says how the port's streams are kept.
type LogStream struct {
	Compression string   `json:"compression,omitempty" doc:"s2 compresses the log on the volume, and its mirrors."`
	Duplicates  Duration `json:"duplicates,omitempty" doc:"How long the Nats-Msg-Id of a published record is known again."`
}

// The compressions of a log.
const (
	CompressionNone = "none"
	CompressionS2   = "s2"
)

// EveryProduct grants a port to every product.
const EveryProduct = "*"

// Open says whether every product may read the port.
func (o *Output) Open() bool { return o.Grants == nil || slices.Contains(o.Grants, EveryProduct) }

// GrantedTo says whether a product may read the port.
func (o *Output) GrantedTo(reader string) bool { return o.Open() || slices.Contains(o.Grants, reader) }

// Readers is who may read the port, in words.
func (o *Output) Readers() string {
	switch {
	case o.Open():
		return "every product"
	case len(o.Grants) == 0:
		return "no product"
	}
	return strings.Join(slices.Sorted(slices.Values(o.Grants)), ", ")
}

// Column is the port's column of that name, or nil.
func (o *Output) Column(name string) *Column { return columnNamed(o.Schema, name) }

func columnNamed(columns []Column, name string) *Column {
	for i := range columns {
		if columns[i].Name == name {
			return &columns[i]
		}
	}
	return nil
}

// requireKey makes the key's columns required, for a key always has all its parts.
func (o *Output) requireKey() {
	for _, name := range o.Key {
		if c := o.Column(name); c != nil {
			c.Required = true
		}
	}
}

// Enum is the list of values that the column's quality rules allow, nil for any. A
// value is a string, bool, int64 or float64; a product that travelled as JSON has no int64.
func (c *Column) Enum() []any {
	for _, q := range c.Quality {
		if q.Metric == MetricInvalidValues {
			if v, ok := q.Arguments[ArgumentValidValues].([]any); ok {
				return v
			}
		}
	}
	return nil
}

var decimalType = regexp.MustCompile(`(?i)^\s*decimal\s*\(\s*(\d{1,4})\s*(?:,\s*(\d{1,4})\s*)?\)\s*$`)

// Decimal is the precision and scale of a number whose physicalType is
// decimal(p,s); ok is false for any other column, which holds a double if a number.
func (c *Column) Decimal() (precision, scale int, ok bool) {
	m := decimalType.FindStringSubmatch(c.PhysicalType)
	if c.LogicalType != TypeNumber || m == nil {
		return 0, 0, false
	}
	precision, _ = strconv.Atoi(m[1]) // the pattern admits digits only
	if m[2] != "" {
		scale, _ = strconv.Atoi(m[2])
	}
	return precision, scale, true
}
