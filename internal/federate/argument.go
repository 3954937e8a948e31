package federate

import (
	"fmt"
	"strings"
)

// Bind writes a statement's arguments in place of its parameters, $name, so that it can
// be planned. The statement that is run has them bound.
func Bind(sql string, args map[string]any) (string, error) {
	var b strings.Builder
	for _, t := range tokens(sql) {
		name, ok := strings.CutPrefix(t.text, "$")
		if t.kind != parameter || !ok {
			b.WriteString(t.text)
			continue
		}
		arg, ok := args[name]
		if !ok {
			return "", fmt.Errorf("the parameter %s has no argument", t.text)
		}
		text, err := Literal(arg)
		if err != nil {
			return "", fmt.Errorf("argument %s: %w", t.text, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}
