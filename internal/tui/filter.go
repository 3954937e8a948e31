package tui

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/meshctl/meshctl/internal/catalog"
)

// filter chooses what a list shows. It is written as a regular expression; with ~ before
// it, as letters that occur in that order; with ! before either, what does not match.
// Capitals matter where there are any.
type filter struct {
	text    string
	inverse bool
	match   func(string) bool // nil for everything
}

func parseFilter(text string) (filter, error) {
	f := filter{text: text}
	want, inverse := strings.CutPrefix(text, "!")
	f.inverse = inverse
	fuzzy, isFuzzy := strings.CutPrefix(want, "~")
	exact := strings.ContainsFunc(want, unicode.IsUpper)
	switch {
	case want == "" || want == "~":
		return filter{text: text}, nil
	case isFuzzy:
		f.match = func(s string) bool { return inOrder(s, fuzzy, exact) }
		return f, nil
	}
	expr := want
	if !exact {
		expr = "(?i)" + want
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return filter{text: text}, fmt.Errorf("not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	f.match = re.MatchString
	return f, nil
}

// empty says whether everything passes.
func (f filter) empty() bool { return f.match == nil }

// any says whether one of the texts passes; of an inverse filter, whether none matches.
func (f filter) any(texts ...string) bool {
	if f.match == nil {
		return true
	}
	for _, s := range texts {
		if f.match(s) {
			return !f.inverse
		}
	}
	return f.inverse
}

func inOrder(s, letters string, exact bool) bool {
	if !exact {
		s, letters = strings.ToLower(s), strings.ToLower(letters)
	}
	for _, r := range letters {
		i := strings.IndexRune(s, r)
		if i < 0 {
			return false
		}
		s = s[i+len(string(r)):]
	}
	return true
}

// textsOf are what a port can be found by, beside its product's.
func textsOf(p *catalog.Port) []string {
	texts := []string{p.Address, p.Output.Type, p.Output.Description}
	for _, c := range p.Output.Schema {
		texts = append(texts, c.Name)
	}
	return texts
}

// productTexts are what a product can be found by.
func productTexts(e *catalog.Entry) []string {
	m := &e.Product.Metadata
	return append([]string{m.Name, m.Domain, m.Owner, m.Description, m.Status}, m.Tags...)
}
