package shell

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// command is one of the shell's own, typed as \name or .name.
type command struct {
	names []string // the first is the one that help shows; a dot shows what DuckDB's shell calls it
	args  string
	does  string
	do    func(m *model, arg string) tea.Cmd
	// complete are what its argument may be, nil for nothing that is known.
	complete func(m *model, begun string) []choice
}

// commands are all of them; docs/query-shell.md shows the same.
func commands() []command {
	return []command{
		{[]string{"?", ".help", "h"}, "", "this help", (*model).help, nil},
		{[]string{"q", ".quit", ".exit"}, "", "leave; ctrl+d does too", func(m *model, _ string) tea.Cmd { m.quit = true; return m.say() }, nil},
		{[]string{"l", ".databases"}, "", "the products", (*model).listProducts, nil},
		{[]string{"dt", ".tables"}, "[TEXT]", "the tables, those whose name has TEXT", (*model).listTables, tableArg},
		{[]string{"d", ".schema", ".describe"}, "[TABLE]", "a table's columns and contract", (*model).describe, tableArg},
		{[]string{"c", ".show", "conninfo"}, "", "where this is connected, and how the shell is set", (*model).showContext, nil},
		{[]string{"x"}, "[on|off]", "a line for each column, and back", (*model).expand, onOff},
		{[]string{"format", ".mode"}, "[FORMAT]", "how answers are written: " + strings.Join(formats(), ", "), (*model).setFormat, formatArg},
		{[]string{"timing", ".timer"}, "[on|off]", "how long each statement took", (*model).setTiming, onOff},
		{[]string{"limit", ".maxrows"}, "[N]", "the most rows of an answer, 0 for all", (*model).setLimit, nil},
		{[]string{"set"}, "[NAME VALUE]", "bind VALUE to $NAME; alone, list what is bound", (*model).setVariable, nil},
		{[]string{"unset"}, "NAME", "forget $NAME", (*model).unsetVariable, variableArg},
		{[]string{"o", ".output"}, "[FILE]", "write answers to FILE; alone, to the terminal again", (*model).setOutput, fileArg},
		{[]string{"once"}, "FILE", "write the next answer to FILE", (*model).setOnce, fileArg},
		{[]string{"export"}, "FILE", "write the last answer: .csv .json .ndjson .yaml .md .parquet", (*model).export, fileArg},
		{[]string{"copy"}, "[FORMAT]", "copy the last answer to the clipboard, as CSV", (*model).copyAnswer, formatArg},
		{[]string{"watch"}, "[SECONDS]", "run the last statement again and again", (*model).startWatch, nil},
		{[]string{"e", ".edit"}, "[FILE]", "edit the last statement, or FILE, with $EDITOR", (*model).edit, fileArg},
		{[]string{"i", ".read"}, "FILE", "run the statements of FILE", (*model).include, fileArg},
	}
}

// command does one of them.
func (m *model) command(line string) tea.Cmd {
	name, arg, _ := strings.Cut(line[1:], " ")
	arg = strings.TrimSuffix(strings.TrimSpace(arg), ";")
	name = strings.TrimSuffix(name, ";")
	var all []string
	for _, c := range commands() {
		for _, n := range c.names {
			n = strings.TrimPrefix(n, ".")
			if n == name {
				return c.do(m, unquote(arg))
			}
			all = append(all, n)
		}
	}
	hint := `\? lists them`
	if near := product.Nearest(name, all); near != "" {
		hint = "did you mean " + line[:1] + near + "?"
	}
	return m.fail(fault.New(fault.Invalid, hint, "there is no command %s", line[:1]+name), "")
}

// unquote is an argument without the quotes around it.
func unquote(arg string) string {
	if len(arg) >= 2 && arg[0] == '\'' && arg[len(arg)-1] == '\'' {
		return arg[1 : len(arg)-1]
	}
	return arg
}

func (m *model) help(string) tea.Cmd {
	name := 0
	for _, c := range commands() {
		name = max(name, width(usage(c)))
	}
	lines := []string{m.look.in(plain, "A statement ends with ; and may have several lines. Tables are product.port."), ""}
	for _, c := range commands() {
		for i, text := range m.look.lines(plain, c.does, m.width-name-4) {
			head := ""
			if i == 0 {
				head = usage(c)
			}
			lines = append(lines, "  "+m.look.in(accent, pad(head, name))+"  "+text)
		}
	}
	lines = append(lines, "")
	for _, k := range [][2]string{
		{"tab", "complete products, ports, columns, SQL, commands"},
		{"up down", "earlier and later statements; within one, its lines"},
		{"ctrl+r", "search what was typed before"},
		{"ctrl+j", "a new line; f5 runs a statement without ;"},
		{"ctrl+c", "stop what runs; at the prompt, drop what is typed"},
	} {
		lines = append(lines, "  "+m.look.in(accent, pad(k[0], name))+"  "+m.look.in(plain, cut(k[1], m.width-name-4)))
	}
	return m.say(lines...)
}

// usage is how a command is typed, with its other names.
func usage(c command) string {
	text := `\` + c.names[0]
	if c.args != "" {
		text += " " + c.args
	}
	for _, n := range c.names[1:] {
		if strings.HasPrefix(n, ".") {
			return text + ", " + n
		}
	}
	return text
}

// turn is what on, off or nothing makes of a switch.
func (m *model) turn(arg string, now bool, set func(bool) string) tea.Cmd {
	switch arg {
	case "on":
		now = true
	case "off":
		now = false
	case "":
		now = !now
	default:
		return m.fail(fault.New(fault.Invalid, "say on or off, or nothing to turn it", "%q is neither on nor off", arg), "")
	}
	return m.say(m.look.in(dim, set(now)))
}

func (m *model) expand(arg string) tea.Cmd {
	return m.turn(arg, m.format == records, func(on bool) string {
		if !on {
			if m.format == records {
				m.format = cmp.Or(m.before, render.Table)
			}
			return "a line for each row"
		}
		if m.format != records {
			m.before, m.format = m.format, records
		}
		return "a line for each column"
	})
}

func (m *model) setTiming(arg string) tea.Cmd {
	return m.turn(arg, m.timing, func(on bool) string {
		m.timing = on
		return map[bool]string{true: "answers say how long they took", false: "answers do not say how long they took"}[on]
	})
}

func (m *model) setFormat(arg string) tea.Cmd {
	switch arg {
	case "":
		return m.say(m.look.in(plain, string(m.format)), m.look.in(dim, "others: "+strings.Join(formats(), ", ")))
	case "jsonlines":
		arg = string(render.JSONL)
	case "box", "duckbox", "column", "aligned":
		arg = string(render.Table)
	}
	f, err := render.ParseFormat(arg)
	if arg == string(records) {
		f, err = records, nil
	}
	if err != nil || !slices.Contains(formats(), string(f)) {
		hint := "use one of " + strings.Join(formats(), ", ")
		if near := product.Nearest(arg, formats()); near != "" {
			hint = "did you mean " + near + "?"
		}
		return m.fail(fault.New(fault.Invalid, hint, "there is no format %q", arg), "")
	}
	m.before, m.format = m.format, f
	return m.say(m.look.in(dim, "answers are written as "+string(f)))
}

func (m *model) setLimit(arg string) tea.Cmd {
	if arg != "" {
		n, err := strconv.ParseInt(strings.ReplaceAll(arg, ",", ""), 10, 64)
		if err != nil || n < 0 {
			return m.fail(fault.New(fault.Invalid, `such as \limit 500, or \limit 0 for all`, "%q is no number of rows", arg), "")
		}
		m.o.Request.Limit = n
	}
	if m.o.Request.Limit == 0 {
		return m.say(m.look.in(dim, "all rows of an answer"))
	}
	return m.say(m.look.in(dim, "at most "+count(int(m.o.Request.Limit), "row")+" of an answer"))
}

func (m *model) setVariable(arg string) tea.Cmd {
	if arg == "" {
		return m.listVariables()
	}
	name, value, found := strings.Cut(strings.TrimPrefix(arg, "$"), " ")
	if !found || !plainName.MatchString(name) {
		return m.fail(fault.New(fault.Invalid, `such as \set code ATL, for $code in a statement`, "the name or the value is missing"), "")
	}
	bound := map[string]any{} // a copy: a statement that runs has the one before
	maps.Copy(bound, m.o.Request.Args)
	bound[name] = unquote(strings.TrimSpace(value))
	m.o.Request.Args = bound
	return m.say(m.look.in(dim, "$"+name+" is bound"))
}

func (m *model) unsetVariable(arg string) tea.Cmd {
	name := strings.TrimPrefix(arg, "$")
	if _, found := m.o.Request.Args[name]; !found {
		return m.fail(fault.New(fault.Invalid, `\set lists what is bound`, "$%s is not bound", name), "")
	}
	bound := maps.Clone(m.o.Request.Args)
	delete(bound, name)
	m.o.Request.Args = bound
	return m.say(m.look.in(dim, "$"+name+" is forgotten"))
}

func (m *model) setOutput(arg string) tea.Cmd {
	if arg == "" || arg == "stdout" {
		if err := m.out.close(); err != nil {
			return m.fail(err, "")
		}
		return m.say(m.look.in(dim, "answers go to the terminal"))
	}
	return m.openOutput(arg, false)
}

func (m *model) setOnce(arg string) tea.Cmd {
	if arg == "" {
		return m.fail(fault.New(fault.Invalid, `such as \once flights.csv`, "the file is missing"), "")
	}
	return m.openOutput(arg, true)
}

func (m *model) openOutput(arg string, once bool) tea.Cmd {
	f := m.format
	if f == records {
		f = render.Table
	}
	if err := m.out.open(m.abs(arg), f, once); err != nil {
		return m.fail(err, "")
	}
	return m.say(m.look.lines(dim, map[bool]string{true: "the next answer goes to ", false: "answers go to "}[once]+arg, m.width)...)
}
