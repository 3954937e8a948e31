package shell

import (
	"regexp"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
)

// choice is one way to complete what is typed.
type choice struct {
	text string // takes the place of what was typed
	note string // says what it is
}

// complete are the ways to go on at a byte of a text, and where in the text that begins
// which they take the place of.
func complete(all catalog.Catalog, text string, at int) (from int, choices []choice) {
	from, path, table, ok := typing(text[:at])
	if !ok {
		return at, nil
	}
	begun := strings.Trim(text[from:at], `"`)
	names := tablesIn(text)
	switch {
	case len(path) == 2:
		choices = columnsOf(all, strings.Join(path, "."))
	case len(path) == 1:
		for _, n := range names {
			if strings.EqualFold(n.alias, path[0]) {
				choices = append(choices, columnsOf(all, n.address)...)
			}
		}
		choices = append(choices, portsOf(all, path[0])...)
	case table:
		choices = tableChoices(all)
	default:
		for _, n := range names {
			choices = append(choices, columnsOf(all, n.address)...)
		}
		choices = append(choices, wordChoices(begun)...)
		choices = append(choices, tableChoices(all)...)
	}
	return from, beginning(choices, begun)
}

// beginning are the choices that begin as what was typed, each once.
func beginning(choices []choice, begun string) []choice {
	var fit []choice
	for _, c := range choices {
		name := strings.TrimPrefix(c.text, `"`)
		if len(name) >= len(begun) && strings.EqualFold(name[:len(begun)], begun) && !slices.ContainsFunc(fit, func(f choice) bool { return f.text == c.text }) {
			fit = append(fit, c)
		}
	}
	return fit
}

// typing is what is being typed at the end of a text: where it begins, the names before
// it that a dot ends, and whether it must be a table. It is not ok in a string or comment.
func typing(before string) (from int, path []string, table, ok bool) {
	all := lex(before)
	i := len(all)
	from = len(before)
	if i > 0 {
		last := all[i-1]
		switch {
		case last.kind == word, last.kind == quoted && last.open:
			i--
			from = last.at
		case last.kind == number || last.open || last.kind == variable:
			return from, nil, false, false
		}
	}
	for i >= 2 && all[i-1].text == "." && (all[i-2].kind == word || all[i-2].kind == quoted) {
		path = append([]string{strings.Trim(all[i-2].text, `"`)}, path...)
		i -= 2
	}
	return from, path, expectsTable(all[:i]), true
}

// expectsTable says whether a table comes next.
func expectsTable(before []token) bool {
	before = slices.DeleteFunc(slices.Clone(before), func(t token) bool { return t.kind == blank || t.kind == comment })
	for i := len(before) - 1; i >= 0; i-- {
		switch w := strings.ToLower(before[i].text); {
		case w == "from" || w == "join":
			return i == len(before)-1 || before[len(before)-1].text == ","
		case before[i].kind == word && isKeyword(w) && w != "as", before[i].kind == semicolon, w == "(", w == ")":
			return false
		}
	}
	return false
}

// named is a table of a statement.
type named struct{ address, alias string }

// tablesIn are the tables that a text reads, with the names that it gives them.
func tablesIn(sql string) []named {
	all := slices.DeleteFunc(lex(sql), func(t token) bool { return t.kind == blank || t.kind == comment })
	var names []named
	name := func(i int) bool {
		return i < len(all) && (all[i].kind == quoted || all[i].kind == word && !endsName(all[i].text))
	}
	for i := 0; i < len(all); i++ {
		if w := strings.ToLower(all[i].text); w != "from" && w != "join" && !(w == "," && len(names) > 0) || !name(i+1) {
			continue
		}
		i++
		n := named{address: bare(all[i])}
		n.alias = n.address
		for i+2 < len(all) && all[i+1].text == "." && name(i+2) {
			i += 2
			n.address, n.alias = n.address+"."+bare(all[i]), bare(all[i])
		}
		if i+1 < len(all) && strings.EqualFold(all[i+1].text, "as") {
			i++
		}
		if name(i + 1) {
			i++
			n.alias = bare(all[i])
		}
		names = append(names, n)
	}
	return names
}

// endsName says whether a word is no name of a table, nor of what comes after one.
func endsName(w string) bool {
	return among(reserved(), w) || isKeyword(w) && slices.Contains([]string{"natural", "asof", "positional", "cross", "semi"}, strings.ToLower(w))
}

func bare(t token) string { return strings.Trim(t.text, `"`) }

var major = regexp.MustCompile(`_v(\d+)$`)

// columnsOf are the columns of a table, none where there is no such table.
func columnsOf(all catalog.Catalog, address string) []choice {
	_, p, err := all.Port(major.ReplaceAllString(address, "@$1"))
	if err != nil {
		return nil
	}
	var choices []choice
	for _, c := range p.Output.Schema {
		kind := c.PhysicalType
		if kind == "" {
			kind = c.LogicalType
		}
		choices = append(choices, choice{quote(c.Name), describe(kind, c.Description)})
	}
	return choices
}

// portsOf are the ports of a product.
func portsOf(all catalog.Catalog, name string) []choice {
	var choices []choice
	if e := all.Product(name); e != nil {
		for i := range e.Ports {
			_, table, _ := strings.Cut(browse.SQLName(e, &e.Ports[i]), ".")
			choices = append(choices, choice{table, describe(e.Ports[i].Output.Type, e.Ports[i].Output.Description)})
		}
	}
	return choices
}

// tableChoices are all tables: the products, which stand for a port, and the ports.
func tableChoices(all catalog.Catalog) []choice {
	var choices []choice
	for i := range all {
		e := &all[i]
		if _, _, err := all.Port(e.Product.Metadata.Name); err == nil {
			choices = append(choices, choice{quote(e.Product.Metadata.Name), describe(e.Product.Metadata.Domain, e.Product.Metadata.Description)})
		}
		for p := range e.Ports {
			choices = append(choices, choice{browse.SQLName(e, &e.Ports[p]), describe(e.Ports[p].Output.Type, e.Product.Metadata.Description)})
		}
	}
	return choices
}

// wordChoices are the words of SQL, in the case of what was typed.
func wordChoices(begun string) []choice {
	if begun == "" {
		return nil
	}
	var choices []choice
	for _, w := range keywords() {
		if begun == strings.ToUpper(begun) {
			w = strings.ToUpper(w)
		}
		choices = append(choices, choice{w, "keyword"})
	}
	for _, f := range functions() {
		choices = append(choices, choice{f + "(", "function"})
	}
	return choices
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// quote is a name as SQL takes it.
func quote(name string) string {
	if plainName.MatchString(name) && !among(reserved(), name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// describe is what something is, on one line.
func describe(kind, description string) string {
	line, _, _ := strings.Cut(description, "\n")
	if line == "" {
		return kind
	}
	return kind + ": " + line
}

// common is what all choices begin with.
func common(choices []choice) string {
	all := choices[0].text
	for _, c := range choices[1:] {
		for !strings.HasPrefix(c.text, all) {
			all = all[:len(all)-1]
		}
	}
	return strings.ToValidUTF8(all, "")
}
