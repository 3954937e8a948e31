package contract

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Violation says which field of a record broke the contract, and how. Its text is
// one line, whatever the record holds.
type Violation struct {
	Field  string // the path, such as "lines[2].price"; empty for the record itself
	Reason string
}

func (v *Violation) Error() string {
	if v.Field == "" {
		return v.Reason
	}
	return v.Field + ": " + v.Reason
}

// in puts name before the path.
func (v *Violation) in(name string) *Violation {
	switch {
	case v.Field == "":
		v.Field = name
	case v.Field[0] == '[':
		v.Field = name + v.Field
	default:
		v.Field = name + "." + v.Field
	}
	return v
}

// inItem puts the index of an array's item before the path.
func (v *Violation) inItem(i int) *Violation { return v.in("[" + strconv.Itoa(i) + "]") }

func violate(reason ...string) *Violation { return &Violation{Reason: strings.Join(reason, "")} }

// longest excerpt of a value that a reason shows, in characters.
const maxExcerpt = 40

// quote shows s in quotes, cut to a length for reading.
func quote(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxExcerpt {
			return strconv.Quote(s[:i]) + "…"
		}
	}
	return strconv.Quote(s)
}

// excerpt shows the JSON value that begins b.
func excerpt(b []byte) string {
	if len(b) == 0 {
		return "the end"
	}
	switch b[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		s := scanner{b: b}
		if text, v := s.text(); v == nil {
			return quote(string(text))
		}
	}
	end := strings.IndexAny(string(b[:min(len(b), 4*maxExcerpt)]), ",]}: \t\r\n")
	switch end {
	case -1:
		end = len(b)
	case 0:
		end = 1
	}
	word := b[:min(end, maxExcerpt)]
	for _, c := range word {
		if c <= ' ' || c >= utf8.RuneSelf || c == '"' || c == 0x7f {
			return quote(string(word))
		}
	}
	return string(word)
}

// unknownField is the violation of a field that the schema does not have.
func unknownField(name string, f *field) *Violation {
	best, distance := "", 1+min(2, len(name)/2) // one slip in a short name, two in a longer one
	for _, g := range f.fields {
		if strings.EqualFold(name, g.name) {
			best, distance = g.name, 0
		} else if d := editDistance(name, g.name, distance); d < distance {
			best, distance = g.name, d
		}
	}
	if best == "" {
		return violate("unknown field ", quote(name))
	}
	return violate("unknown field ", quote(name), ", did you mean ", quote(best), "?")
}

// editDistance is how many bytes must be put in, taken out or changed to make a of b;
// limit when it is that or more.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], limit)
}
