// Package render writes an answer's columns for people and for scripts. What a value
// looks like is package cell's; what is around it is here.
//
// The bytes are the same on a pipe and on a terminal but for colour and for the
// cutting of long cells, both of which the caller asks for. A null is NULL in a
// table, null in JSON and YAML, and in CSV an empty field, where an empty string is
// written "". JSON and YAML have no NaN and no infinities: they are null there, and
// a table and CSV name them. Columns of the same name are told apart in JSON and YAML
// by a number (a, a_2), for a reader would keep only one.
//
// In a table and in Markdown, control characters and changes of the text's direction
// are written as escapes, so that data cannot drive a terminal; JSON and YAML escape
// them by their own rules. CSV and Arrow keep every byte, for programs.
package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
)

// Format is how an answer is written.
type Format string

// The formats.
const (
	Table    Format = "table"    // aligned columns, cut to the terminal's width
	Wide     Format = "wide"     // a table of which nothing is cut
	JSON     Format = "json"     // one array of objects
	YAML     Format = "yaml"     // one list of mappings
	JSONL    Format = "jsonl"    // one object a line
	CSV      Format = "csv"      // RFC 4180 with a header, lines ended by LF
	Markdown Format = "markdown" // a table for documents
	Arrow    Format = "arrow"    // an Arrow IPC stream
)

// Formats are all formats, for help and completion.
func Formats() []string {
	return []string{"table", "wide", "json", "yaml", "jsonl", "csv", "markdown", "arrow"}
}

// ParseFormat reads a format's name; ndjson, md and yml are understood too.
func ParseFormat(s string) (Format, error) {
	switch s {
	case "ndjson":
		return JSONL, nil
	case "md":
		return Markdown, nil
	case "yml":
		return YAML, nil
	}
	if slices.Contains(Formats(), s) {
		return Format(s), nil
	}
	return "", unknown(Format(s))
}

func unknown(f Format) error {
	return fault.New(fault.Invalid, "use one of "+strings.Join(Formats(), ", "), "unknown output format %q", string(f))
}

// Options say how to write an answer.
type Options struct {
	Format  Format // Table when empty
	Width   int    // of the terminal, for Table; 0 cuts nothing
	Color   bool   // for Table and Wide
	MaxRows int    // most rows that Table shows; 0 is all
	Null    string // what stands for a null: "NULL" when empty in a table, nothing in CSV
}

// Writer writes an answer batch by batch, in one format.
type Writer interface {
	// Write adds a batch of the schema that the writer was made for.
	Write(batch arrow.RecordBatch) error
	// Close writes what is still held and what ends the format. It does not close the
	// writer below.
	Close() error
	// Truncated says whether something was left out: a part of a cell, or rows beyond MaxRows.
	Truncated() bool
}

// NewWriter makes a writer of answers with that schema. An unknown format is told by
// the writer's first call.
func NewWriter(w io.Writer, schema *arrow.Schema, o Options) Writer {
	out := &output{w: w}
	switch o.Format {
	case Table, Wide, "":
		return newTable(out, schema, o)
	case JSON, JSONL, YAML:
		return newObjects(out, schema, o.Format)
	case CSV:
		return &csvWriter{out: out, schema: schema, null: o.Null}
	case Markdown:
		return &markdownWriter{out: out, schema: schema, null: o.Null}
	case Arrow:
		return newStream(w, schema)
	}
	return refusal{unknown(o.Format)}
}

// refusal is the writer that cannot write.
type refusal struct{ err error }

func (r refusal) Write(arrow.RecordBatch) error { return r.err }
func (r refusal) Close() error                  { return r.err }
func (r refusal) Truncated() bool               { return false }

// output gathers bytes and passes them on in large pieces.
type output struct {
	w   io.Writer
	buf []byte
}

// pieceSize is how many bytes are gathered before they are passed on.
const pieceSize = 64 << 10

// spill passes on what is gathered if it is much.
func (o *output) spill() error {
	if len(o.buf) < pieceSize {
		return nil
	}
	return o.flush()
}

// flush passes on what is gathered.
func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
