package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// File is a file that a product is made from.
type File struct {
	Path    string
	Columns []Column
	Rows    int64
	// Combined counts how many different combinations of values several columns have.
	Combined func(columns []string) (int64, error)
}

// Fit completes a with a schema that the file's rows fit, of the type and with the
// key that were asked for; either may be empty. Without a type, a key makes a state
// and no key makes events. The notes tell a person what was chosen and what to doubt.
func (f File) Fit(a Answers, outputType string, key []string) (Answers, []string, error) {
	if len(f.Columns) == 0 {
		return a, nil, fault.New(fault.Invalid, "choose a file with columns", "describe %s: it has no columns", f.Path)
	}
	if outputType == "" {
		outputType = product.Event
		if len(key) > 0 {
			outputType = product.State
		}
	}
	if outputType != product.Event && outputType != product.State {
		return a, nil, fault.New(fault.Invalid, "choose event or state", "no type %q", outputType)
	}
	var notes []string
	keys, err := f.keys(outputType == product.State && len(key) == 0)
	if err != nil {
		return a, nil, err
	}
	switch {
	case len(key) > 0:
		found, err := f.keyNotes(key)
		if err != nil {
			return a, nil, err
		}
		notes = found
	case outputType == product.State:
		if len(keys) == 0 {
			return a, nil, f.noKey()
		}
		key = keys[0]
		notes = append(notes, fmt.Sprintf("key: %s tells all %d rows apart", spoken(key), f.Rows)+others(keys[1:]))
	case len(keys) > 0:
		notes = append(notes, fmt.Sprintf("%s tells all %d rows apart; if each row is a thing as it is now, make a state of it with --key %s",
			spoken(keys[0]), f.Rows, quoteShell(strings.Join(keys[0], ","))))
	}
	a.File, a.Type, a.Columns = f.Path, outputType, Describe(f.Columns)
	for _, name := range key {
		at := f.index(name)
		a.Columns[at].Required = true
		a.Key = append(a.Key, a.Columns[at].Name)
	}
	return a, notes, nil
}

// keyNotes checks the key that was asked for against the file.
func (f File) keyNotes(key []string) ([]string, error) {
	var notes []string
	for i, name := range key {
		at := f.index(name)
		if at < 0 {
			return nil, fault.New(fault.Invalid, "choose from "+f.names(), "key %q: %s has no such column", name, f.Path)
		}
		if slices.Contains(key[:i], name) {
			return nil, fault.New(fault.Invalid, "name each column once", "key %q: it is there twice", name)
		}
		c := f.Columns[at]
		if t := describe("", c.Type).LogicalType; !keyable(c.Type) {
			return nil, fault.New(fault.Invalid, "choose columns of type string, integer, boolean, date or timestamp",
				"key %q: a column of type %s cannot be in a key", name, t)
		}
		if c.Nullable {
			notes = append(notes, fmt.Sprintf("key: some rows have no %s; they will become dead letters", name))
		}
	}
	n, err := f.combined(key)
	if err != nil {
		return nil, err
	}
	if n < f.Rows {
		notes = append(notes, fmt.Sprintf("key: %d rows share %d values of %s; of a state, the last row of each counts", f.Rows, n, spoken(key)))
	}
	return notes, nil
}

// combined counts the different values of a key.
func (f File) combined(key []string) (int64, error) {
	if len(key) == 1 {
		return f.Columns[f.index(key[0])].Distinct, nil
	}
	return f.Combined(key)
}

// Looking for a pair reads the file once for each that might do, so a pair is only
// looked for where a key must be found, or the file is short.
const (
	mostPairs = 8
	shortFile = 200_000
)

// keys is what tells all rows apart, the likeliest first: columns or, where none does
// by itself, a pair.
func (f File) keys(needed bool) ([][]string, error) {
	var keys [][]string
	for _, name := range Keys(f.Columns, f.Rows) {
		keys = append(keys, []string{name})
	}
	if len(keys) > 0 || !needed && f.Rows > shortFile {
		return keys, nil
	}
	pairs := Pairs(f.Columns, f.Rows)
	for _, pair := range pairs[:min(len(pairs), mostPairs)] {
		n, err := f.combined(pair)
		if err != nil {
			return nil, err
		}
		if n == f.Rows {
			return [][]string{pair}, nil
		}
	}
	return nil, nil
}

func (f File) index(name string) int {
	return slices.IndexFunc(f.Columns, func(c Column) bool { return c.Name == name })
}

// noKey says why no column can be the key of a state, the nearest first.
func (f File) noKey() error {
	near := slices.Clone(f.Columns)
	near = slices.DeleteFunc(near, func(c Column) bool { return !keyable(c.Type) })
	slices.SortStableFunc(near, func(a, b Column) int { return int(b.Distinct - a.Distinct) })
	var reasons []string
	for _, c := range near[:min(len(near), 3)] {
		reason := fmt.Sprintf("%s has %d values", c.Name, c.Distinct)
		if c.Nullable {
			reason += " and gaps"
		}
		reasons = append(reasons, reason)
	}
	why := "none can be in a key"
	if len(reasons) > 0 {
		why = strings.Join(reasons, ", ")
	}
	return fault.New(fault.Invalid, "name the columns with --key a,b, or make events with --type event",
		"find a key in %s: no column or pair tells its %d rows apart: %s", f.Path, f.Rows, why)
}

func (f File) names() string {
	names := make([]string, len(f.Columns))
	for i, c := range f.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

func others(keys [][]string) string {
	if len(keys) == 0 {
		return ""
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = spoken(key)
	}
	return "; so does " + strings.Join(names, ", so does ")
}

// spoken is a key as a sentence names it.
func spoken(key []string) string { return strings.Join(key, " with ") }
