// Package contract is a port's schema made executable: it turns a JSON record into a
// row of typed columns and a key, or says why the record does not fit.
//
// The decoder reads JSON by itself, in one pass that the schema drives, because this
// is the step that every record of every product passes. It was measured against the
// tokenizer of go-json-experiment/json and against valyala/fastjson (the benchmarks
// are beside the tests): reading, checking, converting, the key and the columns
// together take here about three quarters of the CPU time that the tokenizer needs for
// reading alone. fastjson reads in less than all that, but takes much that is not JSON
// and would leave all else to be done. A fuzz test holds the reader to encoding/json's idea of JSON.
package contract

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Contract is the schema and the key of one output port. It does not change and can
// be used by many goroutines.
type Contract struct {
	port   string
	root   *field // an object; its fields are the columns
	key    []int  // indices of the key columns, in the key's order
	names  []string
	schema *arrow.Schema
	state  bool
}

// New makes the contract of out. It is a fault of kind Invalid when the schema cannot
// be executed, such as for an unknown type or a pattern that does not compile.
func New(out *product.Output) (*Contract, error) {
	root, err := newField(&product.Column{LogicalType: product.TypeObject, Properties: out.Schema}, 0)
	if err != nil {
		return nil, fault.New(fault.Invalid, "correct the port's schema in "+product.FileName, "contract of port %s: %w", out.Name, err)
	}
	c := &Contract{port: out.Name, root: root, names: slices.Clone(out.Key), state: out.Latest()}
	for _, name := range out.Key {
		i, ok := root.index[name]
		switch {
		case !ok:
			return nil, fault.New(fault.Invalid, "name columns of the schema as key", "contract of port %s: key column %s is not in the schema", out.Name, name)
		case !root.fields[i].kind.keyable():
			return nil, fault.New(fault.Invalid, "choose key columns of type string, integer, boolean, date or timestamp",
				"contract of port %s: key column %s cannot be a key", out.Name, name)
		case slices.Contains(c.key, i):
			return nil, fault.New(fault.Invalid, "name each key column once", "contract of port %s: key column %s is named twice", out.Name, name)
		}
		root.fields[i].required = true
		c.key = append(c.key, i)
	}
	columns := make([]arrow.Field, len(root.fields))
	for i, f := range root.fields {
		columns[i] = f.arrowField()
	}
	c.schema = arrow.NewSchema(columns, nil)
	return c, nil
}

// Schema is the contract's columns in the descriptor's order. A column is nullable
// unless it is required or part of the key; the row of a delete has nulls in the
// required ones nevertheless.
func (c *Contract) Schema() *arrow.Schema { return c.schema }

// Keyed says whether the port's records have keys.
func (c *Contract) Keyed() bool { return len(c.key) > 0 }

// State says whether the port is latest by key, with deletes.
func (c *Contract) State() bool { return c.state }

// KeyColumns are the names of the key's columns, in the key's order.
func (c *Contract) KeyColumns() []string { return slices.Clone(c.names) }
