package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// The formats of -o. A command offers those that suit its answer.
const (
	asTable = "table"
	asWide  = "wide"
	asJSON  = "json"
	asYAML  = "yaml"
	asJSONL = "jsonl"
	asCSV   = "csv"
)

// output is the flag -o: one of the formats that the command offers.
type output struct {
	format string
	offers []string
}

// bind adds -o to cmd; the first of the formats is the default.
func (o *output) bind(cmd *cobra.Command, formats ...string) {
	o.format, o.offers = formats[0], formats
	cmd.Flags().VarP(o, "output", "o", "write "+strings.Join(formats, ", "))
	oneOf(cmd, "output", formats...)
}

// String is the format that was chosen.
func (o *output) String() string { return o.format }

// Type is how help calls the flag's value.
func (o *output) Type() string { return "format" }

// Set chooses a format, which must be one that the command offers.
func (o *output) Set(s string) error {
	if !slices.Contains(o.offers, s) {
		return fmt.Errorf("choose one of %s", strings.Join(o.offers, ", "))
	}
	o.format = s
	return nil
}

// writeList writes items for every format but a table's, for which it calls table.
// An empty list is [], not null.
func writeList[L ~[]T, T any](w io.Writer, format string, items L, table func(io.Writer)) error {
	if items == nil {
		items = L{}
	}
	if format == asJSONL {
		enc := newEncoder(w)
		for _, item := range items {
			if err := enc.Encode(item); err != nil {
				return err
			}
		}
		return nil
	}
	return writeValue(w, format, items, table)
}

// writeValue writes v for every format but a table's, for which it calls table.
func writeValue(w io.Writer, format string, v any, table func(io.Writer)) error {
	switch format {
	case asJSON:
		enc := newEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case asJSONL:
		return newEncoder(w).Encode(v)
	case asYAML:
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	case asTable, asWide:
		tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		table(tw)
		return tw.Flush()
	}
	return fmt.Errorf("write %s: this command has no such format", format)
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}
