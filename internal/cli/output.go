package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/render"
)

// output is the flag -o: one of the formats that a command offers.
type output struct {
	format render.Format
	offers []string
}

// bind adds -o to cmd; the first of the formats is the default.
func (o *output) bind(cmd *cobra.Command, formats ...render.Format) {
	o.format, o.offers = formats[0], nil
	for _, f := range formats {
		o.offers = append(o.offers, string(f))
	}
	cmd.Flags().VarP(o, "output", "o", "write "+strings.Join(o.offers, ", "))
	oneOf(cmd, "output", o.offers...)
}

// String is the format that was chosen.
func (o *output) String() string { return string(o.format) }

// Type is how help calls the flag's value.
func (o *output) Type() string { return "format" }

// Set chooses a format, which must be one that the command offers.
func (o *output) Set(s string) error {
	f, err := render.ParseFormat(s)
	if s == string(parquet) {
		f, err = parquet, nil
	}
	if err != nil || !slices.Contains(o.offers, string(f)) {
		return fmt.Errorf("choose one of %s", strings.Join(o.offers, ", "))
	}
	o.format = f
	return nil
}
