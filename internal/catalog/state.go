package catalog

import (
	"fmt"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// Lag is how many records of its log are not yet in every store of the port.
func (p *Port) Lag() uint64 { return uint64(p.Last - min(p.Last, p.Visible)) }

// Stale says whether the port's newest record is older at now than the port promises,
// which one without records never is.
func (p *Port) Stale(now time.Time) bool {
	limit, ok := p.Output.Promised("freshness")
	return ok && !p.LastTime.IsZero() && now.Sub(p.LastTime) > limit
}

// State is how a port of the entry fares at now, in a few words.
func (e *Entry) State(p *Port, now time.Time) string {
	switch {
	case e.Gone(now):
		return "gone since " + Ago(now, e.Seen)
	case p.Error != "":
		return "error"
	}
	return e.Product.Metadata.Status
}

// Ago is how long before now t was, in its largest unit.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	switch d := max(now.Sub(t), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// ContractRows are the columns of a contract as the rows of a table.
func ContractRows(out *product.Output) (header []string, rows [][]string) {
	for _, c := range out.Schema {
		typ := c.LogicalType
		if c.PhysicalType != "" {
			typ = c.PhysicalType
		}
		role := ""
		for i, k := range out.Key {
			if k == c.Name {
				role = fmt.Sprintf("key %d", i+1)
			}
		}
		if role == "" && c.Required {
			role = "required"
		}
		rows = append(rows, []string{c.Name, typ, role, c.Classification, c.Description})
	}
	return []string{"column", "type", "role", "classification", "description"}, rows
}
