// Package product is the descriptor: its types, its defaults, its rules, and every
// name that is derived from it (domain, stream, subject, table). Nothing else in
// meshctl makes up a name.
//
// A port's schema, quality and SLA use the field names of the Open Data Contract
// Standard v3.1 (https://bitol-io.github.io/open-data-contract-standard/), ownership
// and status those of the Open Data Product Standard v1.0, so that export to both is
// one to one.
package product

import "time"

// APIVersion and Kind open every descriptor.
const (
	APIVersion = "meshctl.dev/v1alpha1"
	Kind       = "DataProduct"
)

// FileName is the descriptor's name in a product's folder.
const FileName = "dataproduct.yaml"

// Product is a descriptor.
type Product struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata says what the product is and who answers for it.
type Metadata struct {
	Name        string            `json:"name"`                  // a DNS label; also the JetStream domain
	Domain      string            `json:"domain"`                // the business domain, a DNS label
	Owner       string            `json:"owner"`                 // a team or an address
	Description string            `json:"description,omitempty"` // for people
	Version     string            `json:"version"`               // SemVer; the major is that of every port
	Status      string            `json:"status,omitempty"`      // proposed, draft, active (default), deprecated, retired
	Tags        []string          `json:"tags,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// Spec says what goes in, what happens to it, and what comes out.
type Spec struct {
	Inputs    []Input   `json:"inputs,omitempty"`
	Logic     *Logic    `json:"logic,omitempty"`
	Outputs   []Output  `json:"outputs"`
	Storage   Storage   `json:"storage,omitzero"`
	Resources Resources `json:"resources,omitzero"`
}

// Input is what the logic reads. With Port it is another product's output, sourced
// into this leaf; without, it is records published to this product's own subjects.
type Input struct {
	Name string `json:"name"`           // the table name in SQL logic and the input name for a command
	Port string `json:"port,omitempty"` // "product.port" or "product.port@major"; major 1 when left out
}

// Logic makes the records of the product's only output from its inputs. Exactly one
// of SQL and Command is set. A product without logic takes published records as they are.
type Logic struct {
	SQL     *SQLLogic     `json:"sql,omitempty"`
	Command *CommandLogic `json:"command,omitempty"`
}

// SQLLogic is a DuckDB SELECT whose columns are the output's.
type SQLLogic struct {
	Query string `json:"query,omitempty"` // the statement, or
	File  string `json:"file,omitempty"`  // a file in the product's folder that holds it
	// Mode "batch" (default) runs over each batch of Over, other inputs being whole tables;
	// "table" runs over all inputs whole and emits the rows that changed or vanished.
	Mode     string   `json:"mode,omitempty"`
	Over     string   `json:"over,omitempty"`     // batch mode: the input that drives; the first by default
	Interval Duration `json:"interval,omitempty"` // table mode: shortest time between two runs; 1s by default
}

// CommandLogic is a program that reads NDJSON on stdin and writes NDJSON on stdout.
type CommandLogic struct {
	Run       []string          `json:"run"` // program and arguments, started in the product's folder
	Env       map[string]string `json:"env,omitempty"`
	Timeout   Duration          `json:"timeout,omitempty"`   // for one batch; 30s by default
	BatchSize int               `json:"batchSize,omitempty"` // most records in one batch; 1000 by default
}

// The types of an output.
const (
	Event = "event" // append-only
	State = "state" // latest by key, with deletes
)

// Output is a port that the product offers, and its contract.
type Output struct {
	Name        string        `json:"name"`
	Type        string        `json:"type"`
	Description string        `json:"description,omitempty"`
	Key         []string      `json:"key,omitempty"` // columns, in order; a state port must have one
	Schema      []Column      `json:"schema"`
	Retention   Retention     `json:"retention,omitzero"`
	Quality     []Quality     `json:"quality,omitempty"`
	SLA         []SLAProperty `json:"slaProperties,omitempty"`
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
	Name           string      `json:"name,omitempty"` // empty only for an array's items
	LogicalType    string      `json:"logicalType"`
	PhysicalType   string      `json:"physicalType,omitempty"` // "decimal(p,s)" for a number, otherwise a remark
	Description    string      `json:"description,omitempty"`
	BusinessName   string      `json:"businessName,omitempty"`
	Required       bool        `json:"required,omitempty"` // may not be null or missing
	Unique         bool        `json:"unique,omitempty"`   // a remark for readers, checked by quality rules
	Classification string      `json:"classification,omitempty"`
	Tags           []string    `json:"tags,omitempty"`
	Examples       []any       `json:"examples,omitempty"`
	Options        TypeOptions `json:"logicalTypeOptions,omitzero"`
	Properties     []Column    `json:"properties,omitempty"`
	Items          *Column     `json:"items,omitempty"`
	Quality        []Quality   `json:"quality,omitempty"` // invalidValues with validValues is an enum, checked at the door
}

// TypeOptions narrow a logical type. Every one is checked at the door.
type TypeOptions struct {
	MinLength *int     `json:"minLength,omitempty"` // characters
	MaxLength *int     `json:"maxLength,omitempty"`
	Pattern   string   `json:"pattern,omitempty"` // RE2, unanchored
	Minimum   *float64 `json:"minimum,omitempty"`
	Maximum   *float64 `json:"maximum,omitempty"`
	MinItems  *int     `json:"minItems,omitempty"`
	MaxItems  *int     `json:"maxItems,omitempty"`
}

// Quality is an ODCS quality rule. On a column, metric invalidValues with
// arguments.validValues is an enum and is checked at the door; the others describe.
type Quality struct {
	Name          string         `json:"name,omitempty"`
	Type          string         `json:"type,omitempty"`   // library (default), sql, text
	Metric        string         `json:"metric,omitempty"` // nullValues, missingValues, invalidValues, duplicateValues, rowCount
	Arguments     map[string]any `json:"arguments,omitempty"`
	Query         string         `json:"query,omitempty"`
	Description   string         `json:"description,omitempty"`
	Dimension     string         `json:"dimension,omitempty"`
	Severity      string         `json:"severity,omitempty"`
	Unit          string         `json:"unit,omitempty"`
	MustBe        any            `json:"mustBe,omitempty"`
	MustBeLess    *float64       `json:"mustBeLessThan,omitempty"`
	MustBeGreater *float64       `json:"mustBeGreaterThan,omitempty"`
}

// SLAProperty is an ODCS slaProperties entry, such as {property: freshness, value: 5, unit: m}.
type SLAProperty struct {
	Property    string `json:"property"`
	Value       any    `json:"value"`
	Unit        string `json:"unit,omitempty"`
	Element     string `json:"element,omitempty"`
	Driver      string `json:"driver,omitempty"`
	Description string `json:"description,omitempty"`
}

// Retention bounds the port's log. Zero fields do not bound.
type Retention struct {
	Age     Duration `json:"age,omitempty"`     // an event port drops older records
	Bytes   Quantity `json:"bytes,omitempty"`   // an event port drops the oldest records
	Compact bool     `json:"compact,omitempty"` // a state port keeps only the latest record of each key
}

// Storage sizes what the product keeps on disk.
type Storage struct {
	Size  Quantity `json:"size,omitempty"`  // of the volume; 10Gi by default
	Class string   `json:"class,omitempty"` // storage class; the cluster's default when empty
	// SegmentRows and SegmentAge say when the fresh tail of a table rolls into a Parquet segment.
	SegmentRows int      `json:"segmentRows,omitempty"` // 1,000,000 by default
	SegmentAge  Duration `json:"segmentAge,omitempty"`  // 10m by default
}

// Resources are the product's requests and limits.
type Resources struct {
	CPU    Quantity `json:"cpu,omitempty"`    // 500m by default
	Memory Quantity `json:"memory,omitempty"` // 1Gi by default; DuckDB takes at most half
}

// Duration is a time.Duration, written as "90s", "10m", "24h" or "7d".
type Duration time.Duration

// Quantity is a Kubernetes quantity, such as "500m" or "10Gi".
type Quantity string

// Output is the output port of that name, or nil.
func (p *Product) Output(name string) *Output {
	for i := range p.Spec.Outputs {
		if p.Spec.Outputs[i].Name == name {
			return &p.Spec.Outputs[i]
		}
	}
	return nil
}

// Enum is the list of values that the column's quality rules allow, nil for any.
func (c *Column) Enum() []any {
	for _, q := range c.Quality {
		if q.Metric == "invalidValues" {
			if v, ok := q.Arguments["validValues"].([]any); ok {
				return v
			}
		}
	}
	return nil
}
