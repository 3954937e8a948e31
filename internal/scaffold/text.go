package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/meshctl/meshctl/internal/product"
)

// funcs are what a template may call: each writes its argument so that the language
// around it reads back exactly that text.
func funcs() template.FuncMap {
	return template.FuncMap{"yaml": quoteYAML, "yamlList": listYAML, "sql": quoteSQL, "shell": quoteShell, "columns": columnsYAML, "indent": indent, "base": filepath.Base}
}

// quoteYAML writes s as a YAML scalar: plain where every YAML reader takes it for a
// string, otherwise in the double quotes of JSON, which YAML shares.
func quoteYAML(s string) (string, error) {
	plain := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./@-]*([ ,]+[A-Za-z0-9_./@-]+)*$`)
	if plain.MatchString(s) && !plainWord(s) && !strings.Contains(s, "\n") {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// plainWord says whether some YAML reader takes the bare word for something other than a string.
func plainWord(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf":
		return true
	}
	return false
}

// listYAML writes a flow sequence of strings; there, a comma needs quotes too.
func listYAML(list []string) (string, error) {
	quoted := make([]string, len(list))
	for i, s := range list {
		q, err := quoteYAML(s)
		if err != nil {
			return "", err
		}
		if strings.Contains(s, ",") && q == s {
			q = `"` + s + `"`
		}
		quoted[i] = q
	}
	return "[" + strings.Join(quoted, ", ") + "]", nil
}

// quoteSQL writes an identifier, in quotes where it needs them.
func quoteSQL(name string) string {
	if regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// quoteShell writes one word of a POSIX shell.
func quoteShell(s string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_.,/-]+$`).MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// columnsYAML writes a schema as a YAML list.
func columnsYAML(fields []Field) (string, error) {
	var b strings.Builder
	for _, f := range fields {
		if err := writeColumn(&b, "- ", "  ", f.Column, f.Note); err != nil {
			return "", err
		}
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// writeColumn writes c with its first line after first and the others after rest.
func writeColumn(b *strings.Builder, first, rest string, c product.Column, note string) error {
	lead := first
	line := func(field, value, note string) {
		fmt.Fprintf(b, "%s%s: %s", lead, field, value)
		if note != "" {
			fmt.Fprintf(b, " # %s", strings.Join(strings.Fields(note), " "))
		}
		b.WriteByte('\n')
		lead = rest
	}
	if c.Name != "" {
		name, err := quoteYAML(c.Name)
		if err != nil {
			return err
		}
		line("name", name, note)
	}
	if c.PhysicalName != "" {
		name, err := quoteYAML(c.PhysicalName)
		if err != nil {
			return err
		}
		line("physicalName", name, "")
	}
	line("logicalType", c.LogicalType, "")
	if c.PhysicalType != "" {
		line("physicalType", c.PhysicalType, "")
	}
	if c.Required {
		line("required", "true", "")
	}
	if c.Items != nil {
		fmt.Fprintf(b, "%sitems:\n", rest)
		if err := writeColumn(b, rest+"  ", rest+"  ", *c.Items, ""); err != nil {
			return err
		}
	}
	if len(c.Properties) > 0 {
		fmt.Fprintf(b, "%sproperties:\n", rest)
	}
	for _, p := range c.Properties {
		if err := writeColumn(b, rest+"  - ", rest+"    ", p, ""); err != nil {
			return err
		}
	}
	return nil
}

// indent puts n spaces before each line.
func indent(n int, s string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad)
}
