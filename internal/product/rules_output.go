package product

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

var (
	outputTypes  = []string{Event, State, Object}
	compressions = []string{CompressionNone, CompressionS2}
	keyTypes     = []string{TypeString, TypeInteger, TypeBoolean, TypeDate, TypeTimestamp}
)

// output applies the rules to output i.
func (c *checker) output(i int) {
	outputs := c.Product.Spec.Outputs
	o, path := &outputs[i], fmt.Sprintf("spec.outputs[%d]", i)
	c.name(path+".name", o.Name)
	if o.Name != "" && slices.ContainsFunc(outputs[:i], func(other Output) bool { return other.Name == o.Name }) {
		c.add(path+".name", "give each output a name of its own", "two outputs are named %q", o.Name)
	}
	for _, prefix := range reservedPrefixes {
		if strings.HasPrefix(o.Name, prefix) {
			c.add(path+".name", "choose another name", "names that begin with %q are reserved", prefix)
		}
	}
	if o.Type == "" {
		c.add(path+".type", "write event (append-only), state (latest by key) or object (files)", "type is missing")
	}
	c.oneOf(path+".type", o.Type, outputTypes)
	if o.Type == Object {
		c.object(path, o)
		c.grants(path+".grants", o)
		c.serviceLevels(path, o)
		return
	}
	if len(o.Schema) == 0 {
		c.add(path+".schema", "add a column with name and logicalType", "the port has no column")
	}
	c.grants(path+".grants", o)
	c.columns(path+".schema", o.Schema)
	c.key(path, o)
	c.retention(path+".retention", o)
	c.stream(path+".stream", &o.Stream)
	c.serviceLevels(path, o)
}

// serviceLevels applies the rules to what is promised of a port.
func (c *checker) serviceLevels(path string, o *Output) {
	for j := range o.Quality {
		c.quality(fmt.Sprintf("%s.quality[%d]", path, j), &o.Quality[j], nil)
	}
	for j := range o.SLA {
		c.sla(fmt.Sprintf("%s.slaProperties[%d]", path, j), &o.SLA[j], o)
	}
}

// object applies the rules to a port of files.
func (c *checker) object(path string, o *Output) {
	const listed = "the columns of an object port are name, size, time, digest and metadata"
	if !reflect.DeepEqual(o.Schema, ObjectColumns()) {
		c.add(path+".schema", "leave schema and key out", listed)
	}
	if !slices.Equal(o.Key, []string{objectKey}) {
		c.add(path+".key", "leave schema and key out", "the key of an object port is the file's name")
	}
	if c.Product.Spec.Logic != nil {
		c.add(path+".type", "make the output an event or a state port", "logic makes records, and an object port takes files")
	}
	if o.Retention.Bytes != "" {
		c.bytes(path+".retention.bytes", o.Retention.Bytes)
	}
	if o.Retention.Records > 0 {
		c.add(path+".retention.records", "use age or bytes", "records is for event ports")
	}
	c.oneOf(path+".stream.compression", o.Stream.Compression, compressions)
	if o.Stream.Duplicates != 0 {
		c.add(path+".stream.duplicates", "leave it out", "duplicates has no meaning for files")
	}
}

func (c *checker) grants(path string, o *Output) {
	if c.marks.of(path).null {
		c.add(path, "write [] for no product, or leave the line out for every one", "grants has no value")
	}
	for i, name := range o.Grants {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case name != EveryProduct && !ValidName(name):
			c.add(at, "name a product, or write \"*\" for every one", "%q cannot be the name of a product", shorten(name))
		case slices.Contains(o.Grants[:i], name):
			c.add(at, "name it once", "%s is granted twice", name)
		case name == c.Product.Metadata.Name:
			c.add(at, "leave it out", "a product does not read its own ports")
		}
	}
}

func (c *checker) key(path string, o *Output) {
	if len(o.Key) == 0 && o.Type == State {
		c.add(path+".key", "name the columns that tell one record from another", "a state port needs a key")
	}
	var names []string
	for _, col := range o.Schema {
		names = append(names, col.Name)
	}
	for i, name := range o.Key {
		at := fmt.Sprintf("%s.key[%d]", path, i)
		col := o.Column(name)
		switch {
		case col == nil:
			c.add(at, didYouMean(name, names), "the key names no column %q", shorten(name))
		case slices.Contains(o.Key[:i], name):
			c.add(at, "name it once", "the key names column %q twice", shorten(name))
		case slices.Contains(logicalTypes, col.LogicalType) && !slices.Contains(keyTypes, col.LogicalType):
			c.add(at, "use a column of type "+orList(keyTypes), "column %q is %s, which cannot be part of a key", shorten(name), article(col.LogicalType))
		}
	}
}

func (c *checker) retention(path string, o *Output) {
	r := &o.Retention
	if r.Bytes != "" {
		c.bytes(path+".bytes", r.Bytes)
	}
	switch o.Type {
	case State:
		for field, set := range map[string]bool{".age": r.Age > 0, ".bytes": r.Bytes != "", ".records": r.Records > 0} {
			if set {
				c.add(path+field, "use compact, which keeps the latest record of each key", "%s is for event ports; it would make keys vanish from a state port", field[1:])
			}
		}
	case Event:
		if r.Compact {
			c.add(path+".compact", "use age, bytes or records", "compact is for state ports; it would drop records of an event port")
		}
	}
}

func (c *checker) stream(path string, s *LogStream) {
	c.oneOf(path+".compression", s.Compression, compressions)
	if s.Duplicates == 0 {
		return
	}
	if c.Product.Spec.Logic != nil {
		c.add(path+".duplicates", "leave it out", "duplicates has no meaning with logic, for nobody publishes to the port")
	}
	if d := time.Duration(s.Duplicates); d < leastDuplicates {
		c.add(path+".duplicates", "write at least 100ms", "duplicates must be at least %s", leastDuplicates)
	}
}

// leastDuplicates is the shortest time that the server remembers a message's id.
const leastDuplicates = 100 * time.Millisecond

// What ODCS names for a service level, by what its value is.
var (
	timeProperties    = []string{"freshness", "latency", "frequency", "retention", "timeToDetect", "timeToNotify", "timeToRepair"}
	percentProperties = []string{"availability", "errorRate"}
	timeUnits         = []string{
		"s", "second", "seconds", "m", "minute", "minutes", "h", "hour", "hours",
		"d", "day", "days", "y", "yr", "year", "years",
	}
)

func (c *checker) sla(path string, s *SLAProperty, o *Output) {
	c.text(path+".property", s.Property, "name what is promised, such as freshness")
	if s.Value == nil {
		c.add(path+".value", "", "value is missing")
		return
	}
	n, isNumber := asNumber(s.Value)
	switch s.Value.(type) {
	case []any, map[string]any:
		c.add(path+".value", "write a number or text", "value must be one value")
		return
	}
	switch {
	case slices.Contains(timeProperties, s.Property):
		if !isNumber || n <= 0 {
			c.add(path+".value", "write a number above zero, and its unit", "%s must be a time", s.Property)
		}
		if s.Unit == "" {
			c.add(path+".unit", "write s, m, h, d or y", "%s has no unit", s.Property)
		}
		c.oneOf(path+".unit", s.Unit, timeUnits)
	case slices.Contains(percentProperties, s.Property):
		if !isNumber || n < 0 || n > 100 {
			c.add(path+".value", "write a number from 0 to 100", "%s must be a percentage", s.Property)
		}
	}
	if s.Element != "" && len(o.Schema) > 0 {
		c.element(path+".element", s.Element, o)
	}
}

// element requires the columns that an SLA is measured on, written as column or
// port.column, several by comma, to be there.
func (c *checker) element(path, element string, o *Output) {
	var names []string
	for _, col := range o.Schema {
		names = append(names, col.Name)
	}
	for name := range strings.SplitSeq(element, ",") {
		name = strings.TrimPrefix(strings.TrimSpace(name), o.Name+".")
		if o.Column(name) == nil && name != o.Name {
			c.add(path, didYouMean(name, names), "the port has no column %q", shorten(name))
		}
	}
}

// asNumber is a value of any type as a number, if it is one.
func asNumber(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
