// Package doctor finds what is wrong with products before they run, and with a mesh
// while it runs: a list of checks, each of which looks at what a mesh says of itself and
// says what it saw, why that matters, and what to do.
//
// A check is a plain function of values, so that it asks nobody and costs nothing; who
// gathers them is another's business. A check that cannot tell is silent.
package doctor

import (
	"cmp"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// Check is one thing that may be wrong.
type Check struct {
	ID    string `json:"check"`
	About string `json:"about"` // what is wrong when it finds something
	Why   string `json:"why"`   // that matters
	Do    string `json:"do"`    // about it, unless a finding knows better

	folders func(*Folders) []Finding
	live    func(*Live) []Finding
}

// Finding is one place where something is wrong.
type Finding struct {
	Check string `json:"check"`
	Where string `json:"where"` // a product, a leaf's stream, or a file
	Seen  string `json:"seen"`
	Why   string `json:"why"`
	Do    string `json:"do"`
}

// Folders are the products that are to be looked at before they run.
type Folders struct {
	Products []product.Loaded
	Problems product.Problems // of the set, warnings included
}

// Live is a mesh that runs.
type Live struct {
	Now     time.Time
	Mesh    *catalog.MeshVitals
	Catalog catalog.Catalog
	// Credentials are those that the hub knows; nil where one may not ask.
	Credentials []Credential
	Limits      Limits
}

// Credential is what lets somebody in.
type Credential struct {
	Holder, Key string
	Product     bool
	Expires     time.Time // never when zero
	Revoked     bool
}

// Limits say how much is too much.
type Limits struct {
	Skew     time.Duration // of clocks
	Stuck    time.Duration // that a reader does nothing though there is something to do
	Quiet    time.Duration // that nothing is heard of a source
	Expiry   time.Duration // before a credential expires
	DiskFree float64       // part of a disk
	DiskRoom uint64        // bytes that are enough whatever part of the disk they are
	Used     float64       // part of a limit
}

// Usual are the limits unless somebody says otherwise.
func Usual() Limits {
	return Limits{
		Skew: time.Second, Stuck: 30 * time.Second, Quiet: 10 * time.Second, Expiry: 14 * 24 * time.Hour,
		DiskFree: 0.1, DiskRoom: 10 << 30, Used: 0.9,
	}
}

// Result is what one check found.
type Result struct {
	Check
	Findings []Finding `json:"findings"`
}

// Report is what all checks found.
type Report []Result

// Findings are those of all checks, in the order of the checks.
func (r Report) Findings() []Finding {
	all := []Finding{}
	for _, one := range r {
		all = append(all, one.Findings...)
	}
	return all
}

// Checks are all checks, in the order in which they are told.
func Checks() []Check {
	return slices.Concat(foldersChecks(), topologyChecks(), streamChecks(), flowChecks(), resourceChecks())
}

// OfFolders looks at products before they run.
func OfFolders(f *Folders) Report {
	return run(func(c Check) func() []Finding {
		if c.folders == nil {
			return nil
		}
		return func() []Finding { return c.folders(f) }
	})
}

// OfMesh looks at a mesh that runs.
func OfMesh(l *Live) Report {
	return run(func(c Check) func() []Finding {
		if c.live == nil {
			return nil
		}
		return func() []Finding { return c.live(l) }
	})
}

func run(of func(Check) func() []Finding) Report {
	report := Report{}
	for _, c := range Checks() {
		look := of(c)
		if look == nil {
			continue
		}
		found := look()
		for i := range found {
			f := &found[i]
			f.Check, f.Why, f.Do = c.ID, c.Why, cmp.Or(f.Do, c.Do)
		}
		slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Where, b.Where) })
		if found == nil {
			found = []Finding{}
		}
		report = append(report, Result{c, found})
	}
	return report
}

// When says what the check looks at: folders, a mesh, or both.
func (c *Check) When() string {
	switch {
	case c.live == nil:
		return "folders"
	case c.folders == nil:
		return "mesh"
	}
	return "folders, mesh"
}
