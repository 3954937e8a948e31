// Package product is the descriptor: its types, its defaults, its rules, and every
// name that is derived from it (domain, stream, subject, table). Nothing else in
// meshctl makes up a name.
//
// A port's schema, quality and SLA use the field names of the Open Data Contract
// Standard v3.1 (https://bitol-io.github.io/open-data-contract-standard/), ownership
// and status those of the Open Data Product Standard v1.0, so that export to both is
// one to one.
//
// A field's meaning stands in its doc tag, once, for readers of the code and of the
// JSON Schema alike.
package product

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// APIVersion and Kind open every descriptor.
const (
	APIVersion = "meshctl.dev/v1alpha1"
	Kind       = "DataProduct"
)

// FileName is the descriptor's name in a product's folder.
const FileName = "dataproduct.yaml"

// Product is a descriptor.
type Product struct {
	APIVersion string   `json:"apiVersion" doc:"The version of this format."`
	Kind       string   `json:"kind" doc:"What this document describes."`
	Metadata   Metadata `json:"metadata" doc:"What the product is and who answers for it."`
	Spec       Spec     `json:"spec" doc:"What goes in, what happens to it, and what comes out."`
}

// Metadata says what the product is and who answers for it.
type Metadata struct {
	Name        string            `json:"name" doc:"The product's name, a DNS label; also its JetStream domain."`
	Domain      string            `json:"domain" doc:"The business domain, a DNS label; every subject begins with it."`
	Owner       string            `json:"owner" doc:"The team or the address that answers for the product."`
	Description string            `json:"description,omitempty" doc:"What the data is, for people."`
	Version     string            `json:"version" doc:"The product's version, SemVer; its major is that of every port."`
	Status      string            `json:"status,omitempty" doc:"Where in its life the product is."`
	Tags        []string          `json:"tags,omitempty" doc:"Words to find the product by."`
	Labels      map[string]string `json:"labels,omitempty" doc:"Names and values of your own."`
}

// The values of Metadata.Status.
const (
	StatusProposed   = "proposed"
	StatusDraft      = "draft"
	StatusActive     = "active"
	StatusDeprecated = "deprecated"
	StatusRetired    = "retired"
)

// Spec says what goes in, what happens to it, and what comes out.
type Spec struct {
	Inputs    []Input   `json:"inputs,omitempty" doc:"What the logic reads."`
	Logic     *Logic    `json:"logic,omitempty" doc:"Makes the only output from the inputs; without it, published records are taken as they are."`
	Outputs   []Output  `json:"outputs" doc:"The ports that the product offers."`
	Storage   Storage   `json:"storage,omitzero" doc:"What the product keeps on disk."`
	Resources Resources `json:"resources,omitzero" doc:"The product's requests and limits."`
	Image     string    `json:"image,omitempty" doc:"The container image that runs the product on Kubernetes, by tag or digest; it holds meshctl and whatever the logic needs."`
	Replicas  int       `json:"replicas,omitempty" doc:"How many pods run the product; 1, which is all that there is for now."`
}

// Input is what the logic reads. With Port it is another product's output, sourced
// into this leaf; without, it is records published to this product's own subjects.
type Input struct {
	Name string `json:"name" doc:"The table in SQL logic, the input's name for a command."`
	Port string `json:"port,omitempty" doc:"Another product's output, product.port or product.port@major; major 1 when left out. Without it, records are published to this product."`
	// Schema types what is published to an input without Port; SQL logic needs it.
	Schema []Column `json:"schema,omitempty" doc:"The columns of an input without port: what is published to this product. SQL logic needs them."`
}

// Logic makes the records of the product's only output from its inputs. Exactly one
// of SQL and Command is set. A product without logic takes published records as they are.
type Logic struct {
	SQL     *SQLLogic     `json:"sql,omitempty" doc:"A DuckDB SELECT whose columns are the output's."`
	Command *CommandLogic `json:"command,omitempty" doc:"A program that reads NDJSON on stdin and writes NDJSON on stdout."`
}

// The values of SQLLogic.Mode.
const (
	ModeBatch = "batch" // over each batch of one input, the other inputs being whole tables
	ModeTable = "table" // over all inputs whole; emits the rows that changed or vanished
)

// SQLLogic is a DuckDB SELECT whose columns are the output's.
type SQLLogic struct {
	Query    string   `json:"query,omitempty" doc:"The statement; or file."`
	File     string   `json:"file,omitempty" doc:"A file in the product's folder that holds the statement."`
	Mode     string   `json:"mode,omitempty" doc:"batch runs over each batch of one input, other inputs being whole tables; table runs over all inputs whole and emits the rows that changed or vanished."`
	Over     string   `json:"over,omitempty" doc:"Mode batch: the input that drives; the first by default."`
	Interval Duration `json:"interval,omitempty" doc:"Mode table: the shortest time between two runs."`
}

// CommandLogic is a program that reads NDJSON on stdin and writes NDJSON on stdout.
type CommandLogic struct {
	Run       []string          `json:"run" doc:"The program and its arguments, started in the product's folder."`
	Env       map[string]string `json:"env,omitempty" doc:"The program's environment, beside the usual."`
	Timeout   Duration          `json:"timeout,omitempty" doc:"The longest time for one batch."`
	BatchSize int               `json:"batchSize,omitempty" doc:"The most records in one batch."`
}

// DefaultSize is the size of a volume whose size the descriptor does not say.
const DefaultSize Quantity = "10Gi"

// Storage sizes what the product keeps on disk.
type Storage struct {
	Size        Quantity `json:"size,omitempty" doc:"The size of the volume."`
	Class       string   `json:"class,omitempty" doc:"The storage class; the cluster's default when left out."`
	SegmentRows int      `json:"segmentRows,omitempty" doc:"The rows at which the fresh tail of a table rolls into a Parquet segment."`
	SegmentAge  Duration `json:"segmentAge,omitempty" doc:"The age at which the fresh tail of a table rolls into a Parquet segment."`
	Bucket      string   `json:"bucket,omitempty" doc:"Where the Parquet segments live instead of in the volume: an S3-compatible bucket as s3://bucket or s3://bucket/prefix; the product's name is added."`
	Endpoint    string   `json:"endpoint,omitempty" doc:"The bucket's endpoint as a URL; Amazon's for the region when left out."`
	Region      string   `json:"region,omitempty" doc:"The bucket's region."`
	PathStyle   bool     `json:"pathStyle,omitempty" doc:"Whether the bucket's name stands in the URL's path instead of in the host's name."`
	Secret      string   `json:"secret,omitempty" doc:"The Kubernetes Secret with the bucket's credentials, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the product's name and -bucket when left out."`
	Cache       Quantity `json:"cache,omitempty" doc:"How many bytes of the bucket's segments the volume keeps for queries."`
}

// Resources are the product's requests and limits.
type Resources struct {
	CPU    Quantity `json:"cpu,omitempty" doc:"Processor time, in cores."`
	Memory Quantity `json:"memory,omitempty" doc:"Memory in bytes; DuckDB takes at most half."`
}

// Output is the output port of that name, or nil.
func (p *Product) Output(name string) *Output {
	for i := range p.Spec.Outputs {
		if p.Spec.Outputs[i].Name == name {
			return &p.Spec.Outputs[i]
		}
	}
	return nil
}

// Input is the input of that name, or nil.
func (p *Product) Input(name string) *Input {
	for i := range p.Spec.Inputs {
		if p.Spec.Inputs[i].Name == name {
			return &p.Spec.Inputs[i]
		}
	}
	return nil
}

// setDefaults fills what was left out. It is the one place that knows the defaults;
// constants of the JSON Schema aside, nothing else names them.
func (p *Product) setDefaults() {
	m, s := &p.Metadata, &p.Spec
	m.Status = cmp.Or(m.Status, StatusActive)
	s.Storage.Size = cmp.Or(s.Storage.Size, DefaultSize)
	s.Storage.SegmentRows = cmp.Or(s.Storage.SegmentRows, 1_000_000)
	s.Storage.SegmentAge = cmp.Or(s.Storage.SegmentAge, Duration(10*time.Minute))
	if s.Storage.Bucket != "" {
		s.Storage.Region = cmp.Or(s.Storage.Region, "us-east-1")
		s.Storage.Secret = cmp.Or(s.Storage.Secret, m.Name+bucketSuffix)
		s.Storage.Cache = cmp.Or(s.Storage.Cache, "2Gi")
	}
	s.Resources.CPU = cmp.Or(s.Resources.CPU, "500m")
	s.Resources.Memory = cmp.Or(s.Resources.Memory, "1Gi")
	for i := range s.Outputs {
		if o := &s.Outputs[i]; o.Type == Object {
			o.Retention.Compact = true // of its listing, whose older records are of no file any more
			if o.Schema == nil && o.Key == nil {
				o.Schema, o.Key = ObjectColumns(), []string{objectKey}
			}
		}
		s.Outputs[i].requireKey()
	}
	if s.Logic == nil {
		return
	}
	if sql := s.Logic.SQL; sql != nil {
		sql.Mode = cmp.Or(sql.Mode, ModeBatch)
		switch {
		case sql.Mode == ModeTable:
			sql.Interval = cmp.Or(sql.Interval, Duration(time.Second))
		case len(s.Inputs) > 0:
			sql.Over = cmp.Or(sql.Over, s.Inputs[0].Name)
		}
	}
	if c := s.Logic.Command; c != nil {
		c.Timeout = cmp.Or(c.Timeout, Duration(30*time.Second))
		c.BatchSize = cmp.Or(c.BatchSize, 1000)
	}
}

// YAML is the descriptor as a file, defaults written out. Parse reads it back as it is.
func (p *Product) YAML() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write descriptor: %w", err)
	}
	text, err := yaml.JSONToYAML(escapeForYAML(data))
	if err != nil {
		return nil, fmt.Errorf("write descriptor: %w", err)
	}
	return text, nil
}

// escapeForYAML escapes the characters of a JSON text that YAML, which is to read it,
// takes for line breaks or refuses.
func escapeForYAML(data []byte) []byte {
	var out []byte
	for _, r := range string(data) {
		if 0x7f <= r && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}
