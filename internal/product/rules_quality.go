package product

import (
	"fmt"
	"slices"
)

var (
	qualityTypes = []string{"library", "sql", "text", "custom"}
	metrics      = []string{"nullValues", "missingValues", MetricInvalidValues, "duplicateValues", "rowCount"}
	enumTypes    = []string{TypeString, TypeInteger, TypeNumber, TypeBoolean, TypeDate, TypeTimestamp, TypeTime}
)

// quality applies the rules to a quality rule of a column, or of a port when col is nil.
func (c *checker) quality(path string, q *Quality, col *Column) {
	c.oneOf(path+".type", q.Type, qualityTypes)
	switch q.Type {
	case "", "library":
		if q.Metric == "" {
			c.add(path+".metric", "write "+orList(metrics), "metric is missing")
		}
	case "sql":
		c.text(path+".query", q.Query, "write the statement that is to hold")
	case "text":
		c.text(path+".description", q.Description, "say what is to hold")
	}
	c.oneOf(path+".metric", q.Metric, metrics)
	if q.MustBeLess != nil && q.MustBeGreater != nil && *q.MustBeGreater >= *q.MustBeLess {
		c.add(path+".mustBeGreaterThan", "", "nothing is above %v and below %v", *q.MustBeGreater, *q.MustBeLess)
	}
	if q.Metric != MetricInvalidValues {
		return
	}
	values, listed := q.Arguments[ArgumentValidValues]
	switch {
	case col == nil:
		c.add(path+".metric", "move the rule to its column", "invalidValues is a rule for one column")
	case listed:
		c.enum(path+".arguments."+ArgumentValidValues, values, col)
	case q.Arguments["pattern"] == nil:
		c.add(path+".arguments", "list the allowed values as validValues", "invalidValues does not say which values are valid")
	}
}

// enum requires the list of valid values to fit the column.
func (c *checker) enum(path string, values any, col *Column) {
	list, ok := values.([]any)
	if !ok || len(list) == 0 {
		c.add(path, "", "validValues must be a list with at least one value")
		return
	}
	if !slices.Contains(enumTypes, col.LogicalType) {
		c.add(path, "put the rule on a column inside", "values of %s cannot be listed", article(col.LogicalType))
		return
	}
	for i, v := range list {
		if reason := col.misfit(v); reason != "" {
			c.add(fmt.Sprintf("%s[%d]", path, i), "", "the value %s", reason)
		}
	}
}
