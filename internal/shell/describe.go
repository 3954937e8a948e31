package shell

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// catalogLimit is how long the catalog may take to come.
const catalogLimit = 15 * time.Second

// know tells something about the catalog, once that has come.
func (m *model) know(say func(all catalog.Catalog) ([]string, error)) tea.Cmd {
	return m.begin("the catalog", func(ctx context.Context, gen int) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, catalogLimit)
		defer cancel()
		all, err := m.link.catalog(ctx)
		if err != nil {
			return toldMsg{gen: gen, err: fmt.Errorf("read the catalog: %w", err)}
		}
		lines, err := say(all)
		return toldMsg{gen: gen, lines: lines, err: err}
	})
}

// texts is a table of texts.
func (m *model) texts(header []string, rows [][]string) ([]string, error) {
	var b bytes.Buffer
	objects := make([]map[string]string, len(rows))
	_, err := render.ValueFor(&b, render.Options{Format: render.Table, Width: m.width, Color: m.o.Color}, objects, func() ([]string, [][]string) { return header, rows })
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"), nil
}

func (m *model) listProducts(string) tea.Cmd {
	return m.know(func(all catalog.Catalog) ([]string, error) {
		var rows [][]string
		for i := range all {
			e := &all[i]
			state := e.Product.Metadata.Status
			if e.Gone(m.o.Now()) {
				state = "gone"
			}
			rows = append(rows, []string{e.Product.Metadata.Name, e.Product.Metadata.Domain, fmt.Sprint(len(e.Ports)), state, e.Product.Metadata.Owner, firstOf(e.Product.Metadata.Description)})
		}
		lines, err := m.texts([]string{"product", "domain", "ports", "status", "owner", "description"}, rows)
		return append(lines, m.look.in(dim, count(len(rows), "product"))), err
	})
}

func (m *model) listTables(pattern string) tea.Cmd {
	pattern = strings.ToLower(strings.NewReplacer("%", "", "*", "").Replace(pattern))
	return m.know(func(all catalog.Catalog) ([]string, error) {
		var rows [][]string
		var names []string
		for i := range all {
			for p := range all[i].Ports {
				port := &all[i].Ports[p]
				table := browse.SQLName(&all[i], port)
				names = append(names, table)
				if !strings.Contains(strings.ToLower(table), pattern) {
					continue
				}
				state := ""
				if all[i].Gone(m.o.Now()) {
					state = "gone: "
				}
				rows = append(rows, []string{table, port.Output.Type, grouped(port.Records), state + firstOf(cmp.Or(port.Output.Description, all[i].Product.Metadata.Description))})
			}
		}
		if len(rows) == 0 && pattern != "" {
			return nil, fault.New(fault.NotFound, near(pattern, names, `\dt lists all of them`), "no table has %q in its name", pattern)
		}
		lines, err := m.texts([]string{"table", "type", "records", "description"}, rows)
		return append(lines, m.look.in(dim, count(len(rows), "table"))), err
	})
}

func near(word string, names []string, otherwise string) string {
	if n := product.Nearest(word, names); n != "" {
		return "did you mean " + n + "?"
	}
	return otherwise
}

func (m *model) describe(table string) tea.Cmd {
	if table == "" {
		return m.listTables("")
	}
	return m.know(func(all catalog.Catalog) ([]string, error) {
		e, p, err := all.Port(major.ReplaceAllString(strings.ReplaceAll(table, `"`, ""), "@$1"))
		if err != nil {
			return nil, err
		}
		var rows [][]string
		for _, c := range p.Output.Schema {
			role := ""
			if at := slices.Index(p.Output.Key, c.Name); at >= 0 {
				role = fmt.Sprintf("key %d", at+1)
			} else if c.Required {
				role = "required"
			}
			rows = append(rows, []string{c.Name, cmp.Or(c.PhysicalType, c.LogicalType), role, c.Classification, firstOf(c.Description)})
		}
		head := m.look.in(strong, browse.SQLName(e, p)) + m.look.in(dim, cut(fmt.Sprintf("  %s, version %s, %s", p.Output.Type, e.Product.Metadata.Version, count(int(p.Records), "record")), m.width-width(browse.SQLName(e, p))))
		lines := []string{head}
		if text := cmp.Or(p.Output.Description, e.Product.Metadata.Description); text != "" {
			lines = append(lines, m.look.lines(plain, text, m.width)...)
		}
		columns, err := m.texts([]string{"column", "type", "role", "class", "description"}, rows)
		if err != nil {
			return nil, err
		}
		lines = append(append(lines, ""), columns...)
		return append(lines, m.look.lines(dim, fmt.Sprintf("%s · domain %s · owner %s", count(len(rows), "column"), e.Product.Metadata.Domain, e.Product.Metadata.Owner), m.width)...), nil
	})
}

func firstOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

func (m *model) showContext(string) tea.Cmd {
	settings := [][2]string{
		{"format", string(m.format)}, {"limit", map[bool]string{true: "none", false: grouped(uint64(m.o.Request.Limit)) + " rows"}[m.o.Request.Limit == 0]},
		{"timing", map[bool]string{true: "on", false: "off"}[m.timing]}, {"answers go to", cmp.Or(m.out.path, "the terminal")}, {"folder", m.o.Dir},
		{"history", cmp.Or(m.o.History, "none")}, {"pager", cmp.Or(m.pagerProgram(), "the shell's own")},
	}
	return m.begin("the mesh", func(ctx context.Context, gen int) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, catalogLimit)
		defer cancel()
		where := [][2]string{}
		if mesh, err := m.link.reach(ctx); err != nil {
			where = append(where, [2]string{"mesh", "not connected: " + err.Error()})
		} else {
			where = append(where, [2]string{"mesh", mesh.Where()}, [2]string{"products", fmt.Sprint(len(m.link.seen()))})
		}
		var lines []string
		for _, s := range append(where, settings...) {
			for i, text := range m.look.lines(plain, s[1], m.width-15) {
				lines = append(lines, m.look.in(dim, pad(map[bool]string{true: s[0]}[i == 0], 13))+"  "+text)
			}
		}
		return toldMsg{gen: gen, lines: lines}
	})
}

func (m *model) listVariables() tea.Cmd {
	if len(m.o.Request.Args) == 0 {
		return m.say(m.look.in(dim, `nothing is bound: \set code ATL binds $code`))
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(m.o.Request.Args)) {
		lines = append(lines, m.look.in(plain, cut(fmt.Sprintf("$%s = %v", name, m.o.Request.Args[name]), m.width)))
	}
	return m.say(lines...)
}
