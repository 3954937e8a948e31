package browse

import (
	"regexp"
	"strings"

	"github.com/meshctl/meshctl/internal/catalog"
)

var bare = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// SQLName is a port's table as SQL takes it.
func SQLName(e *catalog.Entry, p *catalog.Port) string {
	name, schema := p.Table, e.Product.Metadata.Name
	if rest, ok := strings.CutPrefix(p.Table, schema+"."); ok {
		name = rest
	}
	quoted := func(s string) string {
		if bare.MatchString(s) {
			return s
		}
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return quoted(schema) + "." + quoted(name)
}
