package tui

import (
	"cmp"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// overview is what one wants to know first of a domain, a product or a port.
func overview(m *Model, s subject) body {
	return &text{make: func(w int) []line {
		e, p := m.target()
		switch {
		case e == nil:
			return domainOverview(m, s.domain, w)
		case s.port != "" && p != nil:
			return append(portOverview(m, e, p, w), productOverview(m, e, w)...)
		}
		lines := productOverview(m, e, w)
		for i := range e.Ports {
			lines = append(lines, portOverview(m, e, &e.Ports[i], w)...)
		}
		return lines
	}}
}

// facts are lines of names and values, the values below each other.
type facts struct {
	w     int
	lines []line
}

const factName = 15

func (f *facts) head(text string) {
	f.lines = append(f.lines, line{}, spans(in(strong, " "+text)))
}

func (f *facts) add(name string, s ...span) {
	if len(s) == 0 || s[0].text == "" {
		return
	}
	l := spans(in(dim, left(" "+name, factName)))
	l.spans = append(l.spans, s...)
	f.lines = append(f.lines, l)
}

// long adds a value that may need several lines.
func (f *facts) long(name, value string) {
	if value == "" {
		return
	}
	for i, l := range fold(value, f.w-factName-1) {
		if i > 0 {
			name = ""
		}
		f.lines = append(f.lines, spans(in(dim, left(" "+name, factName)), in(plain, l)))
	}
}

func domainOverview(m *Model, domain string, w int) []line {
	f := &facts{w: w}
	owners := map[string]bool{}
	products, worst := 0, browse.Health{Text: product.StatusActive}
	for i := range m.mesh.All {
		e := &m.mesh.All[i]
		if e.Product.Metadata.Domain != domain {
			continue
		}
		products++
		owners[e.Product.Metadata.Owner] = true
		if h := m.mesh.Health(e); h.Rank > worst.Rank {
			worst = h
		}
	}
	if products == 0 {
		return nil
	}
	f.head("Domain")
	f.add("products", in(plain, number(products)))
	f.add("owners", in(plain, number(len(owners))))
	f.add("worst", shown(worst))
	return f.lines
}

func productOverview(m *Model, e *catalog.Entry, w int) []line {
	md := &e.Product.Metadata
	f := &facts{w: w}
	f.head("Product")
	f.long("what", md.Description)
	f.add("owner", in(accent, md.Owner))
	f.add("version", in(plain, md.Version+"  "+md.Status))
	f.add("domain", in(plain, md.Domain))
	f.long("tags", strings.Join(md.Tags, ", "))
	if e.HTTP != "" {
		f.add("HTTP", in(plain, e.HTTP+"/v1"))
	}
	f.add("NATS", in(plain, product.ServiceSubject(md.Name, "*")))
	now := m.mesh.AsOf()
	f.add("heartbeat", in(plain, catalog.Ago(now, e.Seen)+" ago, started "+catalog.Ago(now, e.Started)+" ago, meshctl "+e.Meshctl))
	for _, in := range e.Product.Spec.Inputs {
		from := cmp.Or(in.Port, "published records")
		f.add("reads", span{from, plain}, inputState(e, in.Name))
	}
	for _, kept := range e.SetAside {
		f.long("set aside", "a damaged store was made again; the old one is kept in "+kept)
	}
	return f.lines
}

func inputState(e *catalog.Entry, input string) span {
	for _, in := range e.Inputs {
		switch {
		case in.Name != input:
		case in.Error != "":
			return span{"  ✖ " + in.Error, bad}
		case in.Lag > 0:
			return span{"  ▲ " + count(int(in.Lag), "record") + " behind", warning}
		default:
			return span{"  ● up to record " + number(int(in.Last)), good}
		}
	}
	return span{"", dim}
}

func portOverview(m *Model, e *catalog.Entry, p *catalog.Port, w int) []line {
	f := &facts{w: w}
	now := m.mesh.AsOf()
	f.head("Port " + p.Address)
	f.long("what", p.Output.Description)
	kind := p.Output.Type
	if len(p.Output.Key) > 0 {
		kind += ", key " + strings.Join(p.Output.Key, ", ")
	}
	f.add("type", in(plain, kind))
	object := p.Output.Type == product.Object
	what := "records"
	if object {
		what = "files"
	}
	f.add(what, in(plain, number(int(p.Records))))
	lag := span{"  every store is up to date", good}
	if p.Lag() > 0 {
		lag = span{"  " + count(int(p.Lag()), "record") + " behind the log", warning}
	}
	f.add("position", in(plain, number(int(p.Visible))+" of "+number(int(p.Last))), lag)
	f.add("rate", in(plain, perSecond(m.mesh.Rate(p.Address))+" records/s  "), in(accent, sparkOf(m.mesh, p.Address, w-factName-24)))
	f.add("freshness", freshness(p, now)...)
	if p.Dead > 0 {
		f.add("dead letters", span{"▲ " + number(int(p.Dead)) + " wait; 7 shows them", warning})
	}
	if p.Error != "" {
		f.add("last error", in(bad, "✖ see below"))
		for _, l := range fold(p.Error, w-factName-1) {
			f.lines = append(f.lines, spans(in(bad, strings.Repeat(" ", factName)+l)))
		}
	}
	f.add("SQL", in(accent, browse.SQLName(e, p)))
	if object {
		f.add("files by", in(accent, "meshctl object ls "+p.Address))
	}
	f.add("stream", in(plain, p.Stream+" in domain "+e.Product.Metadata.Name+", subject "+e.ID(p).Subject()+".>"))
	return f.lines
}

func sparkOf(s *browse.State, address string, w int) string {
	return spark(s.Rates(address), max(w, 0))
}

// freshness is how old the newest record is, against what is promised.
func freshness(p *catalog.Port, now time.Time) []span {
	limit, promised := p.Output.Promised("freshness")
	if p.LastTime.IsZero() {
		return []span{{"no record yet", dim}}
	}
	age := "newest record " + catalog.Ago(now, p.LastTime) + " ago"
	switch {
	case !promised:
		return []span{{age, plain}, {", nothing promised", dim}}
	case p.Stale(now):
		return []span{{age, plain}, {"  ▲ promised " + product.Duration(limit).String(), warning}}
	}
	return []span{{age, plain}, {"  ● promised " + product.Duration(limit).String(), good}}
}

// lineagePane is what a port is made of and what is made of it.
func lineagePane(m *Model, _ subject) body {
	return &text{make: func(w int) []line {
		_, p := m.target()
		if p == nil {
			return nil
		}
		l, err := m.mesh.All.Lineage(p.Address, m.mesh.AsOf())
		if err != nil {
			return []line{spans(in(bad, " ✖ "+err.Error()))}
		}
		lines := []line{{}}
		for _, t := range l.Tree(func(p catalog.Linked) string {
			return m.healthOf(p) + "  " + strings.TrimSpace(p.Domain+"  "+p.Owner)
		}) {
			r := plain
			if t == "made of" || t == "read by" {
				lines = append(lines, line{})
				r = dim
			}
			lines = append(lines, spans(in(r, " "+t)))
		}
		return lines
	}}
}

func (m *Model) healthOf(p catalog.Linked) string {
	e, port, err := m.mesh.All.Port(p.Address)
	if err != nil {
		return "○ " + p.State
	}
	return m.mesh.PortHealth(e, port).String()
}

// consumersPane is who reads a port, and how far.
func consumersPane(m *Model, _ subject) body {
	_, p := m.target()
	var rows [][]span
	for _, r := range m.mesh.All.Readers(p.Address, m.mesh.AsOf()) {
		state := span{"● reads", good}
		switch {
		case r.Gone:
			state = span{"○ gone", bad}
		case r.Error != "":
			state = span{"✖ " + r.Error, bad}
		case r.Lag > 0:
			state = span{"▲ behind", warning}
		}
		rows = append(rows, []span{{r.Product, plain}, {r.Name, plain}, {number(int(r.Last)), plain}, {number(int(r.Lag)), plain}, {r.Owner, dim}, state})
	}
	return &sheet{
		grid:  listGrid([]string{"product", "input", "position", "lag", "owner", "state"}, rows, 2, 3),
		empty: "No product of this mesh reads this port.",
	}
}
