package doctor

import (
	"fmt"
	"strings"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// streamChecks are of what streams are set to.
func streamChecks() []Check {
	return []Check{
		{
			ID: "subject-twice", About: "streams of two leaves capture one subject",
			Why:  "Both store what is published there as soon as a link lets it pass, and each record is there twice.",
			Do:   "narrow the subjects of one of the streams with meshctl stream edit",
			live: subjectsTwice,
		},
		{
			ID: "wrong-source", About: "a source or mirror asks at the wrong place",
			Why:  "It waits for ever and tells no error: nobody answers at that API prefix.",
			Do:   "set the external API prefix to " + product.APIPrefix("DOMAIN") + " of the domain that has the stream",
			live: wrongSources,
		},
		{
			ID: "filter-and-transform", About: "a source has a filter and a transform",
			Why:  "The server takes one of them only: the stream is refused when it is made anew or restored.",
			Do:   "put the filter into the transform's source",
			live: filterAndTransform,
		},
		{
			ID: "source-without-durable", About: "a work queue or interest stream is sourced without a durable consumer",
			Why:  "Its consumer is forgotten with each interruption, and what is removed meanwhile is lost to the source.",
			Do:   "source it by a durable consumer, or from a stream with limits retention",
			live: sourcesWithoutDurable,
		},
		{
			ID: "replicas", About: "a stream has more replicas than there are nodes, or fewer that are up to date",
			Why:  "When one more node is lost, the stream can be neither read nor written.",
			Do:   "start the node that is away, or lower the replicas",
			live: replicas,
		},
		{
			ID: "contract-version", About: "a stream's metadata tells another contract than the product's",
			Why:  "Who reads the stream takes its records for what they are not.",
			Do:   "apply the descriptor once more: meshctl product add DIR, or start the product again",
			live: contractVersions,
		},
	}
}

// placed is a stream and the leaf that has it.
type placed struct {
	domain string
	*catalog.Stream
}

func (p placed) where() string { return p.domain + "/" + p.Name }

// streams are those of the hub and of every leaf.
func (l *Live) streams() (all []placed) {
	servers := append([]catalog.Vitals{l.Mesh.Hub}, l.Mesh.Products...)
	for i := range servers {
		for j := range servers[i].Details {
			all = append(all, placed{servers[i].Domain, &servers[i].Details[j]})
		}
	}
	return all
}

func subjectsTwice(l *Live) (found []Finding) {
	type capture struct {
		stream placed
		tokens []string
	}
	byFirst := map[string][]capture{} // of the subjects that begin so, "" where that is a wildcard
	var all []capture
	for _, s := range l.streams() {
		for _, subject := range s.Subjects {
			c := capture{s, strings.Split(subject, ".")}
			first := c.tokens[0]
			if first == "*" || first == ">" {
				first = ""
			}
			byFirst[first] = append(byFirst[first], c)
			all = append(all, c)
		}
	}
	told := map[string]bool{}
	look := func(a, b capture) {
		pair := a.stream.where() + " " + b.stream.where()
		if a.stream.domain >= b.stream.domain || told[pair] || !collide(a.tokens, b.tokens) {
			return // within one server it cannot be
		}
		told[pair] = true
		found = append(found, Finding{
			Where: a.stream.where(),
			Seen:  fmt.Sprintf("%s captures %s, and %s captures %s", a.stream.where(), strings.Join(a.tokens, "."), b.stream.where(), strings.Join(b.tokens, ".")),
		})
	}
	for first, some := range byFirst {
		others := some
		if first == "" {
			others = all
		}
		for _, a := range some {
			for _, b := range others {
				look(a, b)
				look(b, a)
			}
		}
	}
	return found
}

// collide says whether a subject can match both.
func collide(a, b []string) bool {
	for i := 0; ; i++ {
		switch {
		case i == len(a) || i == len(b):
			return len(a) == len(b)
		case a[i] == ">" || b[i] == ">":
			return true
		case a[i] != b[i] && a[i] != "*" && b[i] != "*":
			return false
		}
	}
}

// eachSource looks at everything that streams copy.
func (l *Live) eachSource(look func(s placed, from catalog.Source, mirror bool)) {
	for _, s := range l.streams() {
		if s.Mirror != nil {
			look(s, *s.Mirror, true)
		}
		for _, from := range s.Sources {
			look(s, from, false)
		}
	}
}

// origin is the stream that a source copies, nil where it is not known; ok is false where
// nobody answers at its API prefix.
func (l *Live) origin(s placed, from catalog.Source) (origin *catalog.Stream, ok bool) {
	domain := s.domain
	if from.API != "" {
		rest, js := strings.CutPrefix(from.API, "$JS.")
		name, api := strings.CutSuffix(rest, ".API")
		own, mirrored := strings.CutPrefix(from.API, product.MirrorPrefix(""))
		switch {
		case js && api:
			domain = name
		case mirrored: // it asks its own product, which asks the other one
			domain = own
		case from.API == "$JS.API":
		default:
			return nil, false
		}
	}
	if domain != product.HubDomain && l.Mesh.Product(domain) == nil && l.Catalog.Product(domain) == nil {
		return nil, false
	}
	for _, at := range l.streams() {
		if at.domain == domain && at.Name == from.Stream {
			return at.Stream, true
		}
	}
	v := l.Mesh.Product(domain)
	if domain == product.HubDomain {
		v = &l.Mesh.Hub
	}
	return nil, v == nil || v.Details == nil // it may be there and was not told
}

func kindOfSource(mirror bool) string {
	if mirror {
		return "mirror"
	}
	return "source"
}

func wrongSources(l *Live) (found []Finding) {
	l.eachSource(func(s placed, from catalog.Source, mirror bool) {
		if _, ok := l.origin(s, from); ok {
			return
		}
		at := "in its own domain"
		if from.API != "" {
			at = "at the API prefix " + from.API
		}
		found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("its %s asks for stream %s %s, where there is none", kindOfSource(mirror), from.Stream, at)})
	})
	return found
}

func filterAndTransform(l *Live) (found []Finding) {
	l.eachSource(func(s placed, from catalog.Source, mirror bool) {
		if from.Filter != "" && from.Transform {
			found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("its %s of %s has the filter %s and a subject transform", kindOfSource(mirror), from.Stream, from.Filter)})
		}
	})
	return found
}

func sourcesWithoutDurable(l *Live) (found []Finding) {
	l.eachSource(func(s placed, from catalog.Source, mirror bool) {
		origin, _ := l.origin(s, from)
		if origin == nil || origin.Retention == "limits" || from.Durable != "" {
			return
		}
		found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("its %s %s keeps by %s, and no durable consumer is named", kindOfSource(mirror), from.Stream, origin.Retention)})
	})
	return found
}

func replicas(l *Live) (found []Finding) {
	for i := range l.Mesh.Hub.Details {
		s := placed{product.HubDomain, &l.Mesh.Hub.Details[i]}
		nodes := len(l.Mesh.Hub.Nodes)
		switch {
		case s.Replicas > max(nodes, 1):
			found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("it has %d replicas, and the hub %d nodes", s.Replicas, nodes)})
		case s.Current < s.Replicas:
			found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("%d of its %d replicas are up to date", s.Current, s.Replicas)})
		}
	}
	return found
}

func contractVersions(l *Live) (found []Finding) {
	for i := range l.Mesh.Products {
		v := &l.Mesh.Products[i]
		runs := map[string]catalog.Reach{}
		for _, p := range v.Ports {
			runs[p.Stream] = p
		}
		for j := range v.Details {
			s := placed{v.Domain, &v.Details[j]}
			p, ok := runs[s.Name]
			if told := s.Metadata[catalog.MetaContract]; ok && told != p.Contract {
				found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("the stream says that its contract is %q, and port %s runs by %s", told, p.Port, p.Contract)})
			}
		}
	}
	return found
}
