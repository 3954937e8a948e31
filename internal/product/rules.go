package product

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/meshctl/meshctl/internal/fault"
)

// Names that mean something else already: the hub's JetStream domain, DuckDB's own
// schemas and Kubernetes' own objects, the first tokens of meshctl's subjects, and the beginnings of its streams.
var (
	reservedProducts = []string{HubDomain, "main", "temp", "system", "default", "kubernetes"}
	reservedDomains  = []string{"in", DeadStream, "mesh", "deliver"}
	reservedPrefixes = []string{"in-", "from-"}
)

// checker applies the rules that go beyond a field's type.
type checker struct {
	*Loaded
	excused map[string]bool // paths with a problem already
}

// add reports a problem at path, unless one there is known.
func (c *checker) add(path, hint, format string, args ...any) {
	if c.excused[path] {
		return
	}
	at := c.marks.of(path)
	c.Problems = append(c.Problems, Problem{
		File: c.File, Line: at.line, Column: at.column, Path: path,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// text requires a field to hold some text.
func (c *checker) text(path, value, hint string) {
	if strings.TrimSpace(value) == "" {
		c.add(path, hint, "%s is %s", last(path), c.absence(path))
	}
}

// absence is what a field without a value is.
func (c *checker) absence(path string) string {
	if c.marks.has(path) {
		return "empty"
	}
	return "missing"
}

// name requires a field to hold a name.
func (c *checker) name(path, value string) {
	switch {
	case value == "":
		c.add(path, "", "%s is %s", last(path), c.absence(path))
	case !ValidName(value):
		c.add(path, "use at most 40 lower case letters, digits and dashes, a letter first",
			"%q cannot be a name", shorten(value))
	}
}

// oneOf requires a field to hold one of names, if it holds anything.
func (c *checker) oneOf(path, value string, names []string) {
	if value != "" && !slices.Contains(names, value) {
		c.add(path, didYouMean(value, names), "unknown %s %q", last(path), shorten(value))
	}
}

// positive refuses a written field that is not more than zero, for zero would
// silently become the default.
func positive[T int | Duration](c *checker, path string, value T, hint string) {
	if c.marks.has(path) && value <= 0 {
		c.add(path, hint, "%s must be more than zero", last(path))
	}
}

// bytes requires a quantity to be a whole number of bytes above zero.
func (c *checker) bytes(path string, q Quantity) {
	n, err := q.Bytes()
	switch {
	case err != nil && strings.HasSuffix(string(q), "m"):
		c.add(path, "M is a million and Mi is 1048576", "%s: %v", last(path), err)
	case err != nil && strings.HasSuffix(string(q), "B"):
		c.add(path, "leave out the B", "%s: %v", last(path), err)
	case err != nil:
		c.add(path, "", "%s: %v", last(path), err)
	case n <= 0:
		c.add(path, "", "%s must be more than zero", last(path))
	}
}

// written applies the rules over what was written and what was left out; they run
// before the defaults hide the difference.
func (c *checker) written() {
	const forDefault = "leave it out for the default"
	s := &c.Product.Spec
	positive(c, "spec.storage.segmentRows", s.Storage.SegmentRows, forDefault)
	positive(c, "spec.storage.segmentAge", s.Storage.SegmentAge, forDefault)
	c.bucketOptions(&s.Storage)
	if c.marks.has("spec.replicas") && s.Replicas != 1 {
		c.add("spec.replicas", "leave it out, or write 1", "a product runs as one pod for now; %d replicas cannot share its log", s.Replicas)
	}
	if c.marks.has("spec.image") {
		if err := CheckImage(s.Image); err != nil {
			c.add("spec.image", fault.HintOf(err), "%s", err)
		}
	}
	for i, o := range s.Outputs {
		path := fmt.Sprintf("spec.outputs[%d]", i)
		positive(c, path+".retention.age", o.Retention.Age, "leave it out to keep records for good")
		positive(c, path+".retention.records", o.Retention.Records, "leave it out to keep records for good")
		positive(c, path+".stream.duplicates", o.Stream.Duplicates, forDefault)
		for j, col := range o.Schema {
			required := fmt.Sprintf("%s.schema[%d].required", path, j)
			if c.marks.has(required) && !col.Required && slices.Contains(o.Key, col.Name) {
				c.add(required, "leave it out", "a key column is always required")
			}
		}
	}
	if s.Logic == nil {
		return
	}
	if sql := s.Logic.SQL; sql != nil {
		positive(c, "spec.logic.sql.interval", sql.Interval, forDefault)
		if sql.Mode == ModeTable && sql.Over != "" {
			c.add("spec.logic.sql.over", "leave it out", "over has no meaning in mode table")
		}
		if (sql.Mode == "" || sql.Mode == ModeBatch) && sql.Interval != 0 {
			c.add("spec.logic.sql.interval", "leave it out", "interval has no meaning in mode batch")
		}
	}
	if cmd := s.Logic.Command; cmd != nil {
		positive(c, "spec.logic.command.timeout", cmd.Timeout, forDefault)
		positive(c, "spec.logic.command.batchSize", cmd.BatchSize, forDefault)
	}
}

// rules applies every rule to the product with its defaults.
func (c *checker) rules() {
	p := c.Product
	if p.APIVersion != APIVersion {
		c.add("apiVersion", "write "+APIVersion, "apiVersion %q is not known", shorten(p.APIVersion))
	}
	if p.Kind != Kind {
		c.add("kind", "write "+Kind, "kind %q is not known", shorten(p.Kind))
	}
	c.metadata()
	c.inputs()
	c.logic()
	if len(p.Spec.Outputs) == 0 {
		c.add("spec.outputs", "add an output with name, type and schema", "the product has no output")
	}
	for i := range p.Spec.Outputs {
		c.output(i)
	}
	c.bytes("spec.storage.size", p.Spec.Storage.Size)
	c.bucket(&p.Spec.Storage)
	c.bytes("spec.resources.memory", p.Spec.Resources.Memory)
	if n, err := p.Spec.Resources.CPU.Milli(); err != nil {
		c.add("spec.resources.cpu", "", "cpu: %v", err)
	} else if n <= 0 {
		c.add("spec.resources.cpu", "", "cpu must be more than zero")
	}
}

func (c *checker) metadata() {
	m := &c.Product.Metadata
	c.name("metadata.name", m.Name)
	if slices.Contains(reservedProducts, m.Name) {
		c.add("metadata.name", "choose another name", "the name %q is reserved", m.Name)
	}
	if strings.HasSuffix(m.Name, headlessSuffix) {
		c.add("metadata.name", "choose another name", "names that end with %q are reserved", headlessSuffix)
	}
	c.name("metadata.domain", m.Domain)
	if slices.Contains(reservedDomains, m.Domain) {
		c.add("metadata.domain", "choose another domain", "the domain %q is reserved", m.Domain)
	}
	c.text("metadata.owner", m.Owner, "name a team or an address")
	if !validVersion(m.Version) {
		if m.Version == "" {
			c.add("metadata.version", "write 0.1.0 or another SemVer version", "version is missing")
		} else {
			c.add("metadata.version", "write major.minor.patch, such as 1.0.0", "version %q is not SemVer", shorten(m.Version))
		}
	}
	c.oneOf("metadata.status", m.Status, statuses)
	for i, tag := range m.Tags {
		c.text(fmt.Sprintf("metadata.tags[%d]", i), tag, "")
	}
}

var statuses = []string{StatusProposed, StatusDraft, StatusActive, StatusDeprecated, StatusRetired}

// validVersion says whether s is a whole SemVer version, without a v.
func validVersion(s string) bool {
	v := "v" + s
	return semver.IsValid(v) && semver.Canonical(v)+semver.Build(v) == v
}
