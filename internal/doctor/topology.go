package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// topologyChecks are of who is there and how they fit together.
func topologyChecks() []Check {
	return []Check{
		{
			ID: "domain-twice", About: "two leaves have one JetStream domain",
			Why:     "Each answers for the other at random: records and questions go to whichever hears them first.",
			Do:      "stop one of them, or give one product another name",
			folders: func(f *Folders) []Finding { return foldersOfOneName(f) },
			live:    leavesOfOneDomain,
		},
		{
			ID: "domain-of-hub", About: "a leaf's JetStream domain is the hub's",
			Why:     "What is asked of the hub, such as the catalog, reaches the leaf, and the leaf's own streams are the hub's to others.",
			Do:      "give the product another name than " + product.HubDomain,
			folders: foldersOfHubsName,
			live:    leavesOfHubsDomain,
		},
		{
			ID: "silent-product", About: "a product of the catalog does not answer",
			Why:  "Nobody gets anything from it, and what reads it stands still.",
			Do:   "see its log, and start it again; or take it out with meshctl product remove",
			live: silentProducts,
		},
		{
			ID: "unknown-leaf", About: "a leaf has joined that the catalog does not know",
			Why:  "Nobody finds its product. It has just started, cannot write its entry, or is none of meshctl's.",
			Do:   "see its log; where nobody knows it, revoke its credential with meshctl creds revoke",
			live: strangers,
		},
		{
			ID: "hub-node", About: "a node of the hub is away",
			Why:  "When one more is lost, the catalog can be read by nobody.",
			Do:   "start it again, or look after its machine",
			live: awayNodes,
		},
		{
			ID: "versions", About: "hub and leaf have versions that do not fit",
			Why:  "A newer leaf asks for what an older hub does not know, and one that is much older misses what others rely on.",
			Do:   "bring the hub to the newest version first, then the products",
			live: unfitVersions,
		},
	}
}

func foldersOfOneName(f *Folders) (found []Finding) {
	first := map[string]string{}
	f.each(func(file string, p *product.Product) {
		name := p.Metadata.Name
		if other, ok := first[name]; ok {
			found = append(found, Finding{Where: file, Seen: fmt.Sprintf("it names product %s, as %s does", name, other)})
			return
		}
		first[name] = file
	})
	return found
}

func leavesOfOneDomain(l *Live) (found []Finding) {
	servers := map[string][]string{}
	for _, j := range l.Mesh.Hub.Leaves {
		if !slices.Contains(servers[j.Domain], j.Server) {
			servers[j.Domain] = append(servers[j.Domain], j.Server)
		}
	}
	for domain, all := range servers {
		if len(all) > 1 {
			slices.Sort(all)
			found = append(found, Finding{Where: domain, Seen: fmt.Sprintf("%d leaves have joined with domain %s: %s", len(all), domain, strings.Join(all, ", "))})
		}
	}
	return found
}

func foldersOfHubsName(f *Folders) (found []Finding) {
	f.each(func(file string, p *product.Product) {
		if p.Metadata.Name == product.HubDomain {
			found = append(found, Finding{Where: file, Seen: "the product is called " + product.HubDomain + ", as the hub's domain"})
		}
	})
	return found
}

func leavesOfHubsDomain(l *Live) (found []Finding) {
	for _, j := range l.Mesh.Hub.Leaves {
		if j.Domain == product.HubDomain {
			found = append(found, Finding{Where: j.Server, Seen: fmt.Sprintf("leaf %s at %s has the hub's own domain", j.Server, j.IP)})
		}
	}
	return found
}

func silentProducts(l *Live) (found []Finding) {
	for _, name := range l.Mesh.Silent {
		seen := "it does not answer"
		if e := l.Catalog.Product(name); e != nil {
			seen += ", and gave its last sign of life " + catalog.Ago(l.Now, e.Seen) + " ago"
		}
		found = append(found, Finding{Where: name, Seen: seen})
	}
	return found
}

func strangers(l *Live) (found []Finding) {
	for _, j := range l.Mesh.Hub.Leaves {
		if l.Catalog.Product(j.Domain) == nil && j.Domain != product.HubDomain {
			found = append(found, Finding{Where: j.Domain, Seen: fmt.Sprintf("leaf %s at %s has joined, and no such product is in the catalog", j.Server, j.IP)})
		}
	}
	return found
}

func awayNodes(l *Live) (found []Finding) {
	h := &l.Mesh.Hub
	if len(h.Nodes) >= h.Size {
		return nil
	}
	var there []string
	for _, n := range h.Nodes {
		there = append(there, n.Name)
	}
	slices.Sort(there)
	return []Finding{{Where: product.HubName, Seen: fmt.Sprintf("%d of %d nodes answer: %s", len(there), h.Size, strings.Join(there, ", "))}}
}

func unfitVersions(l *Live) (found []Finding) {
	h := &l.Mesh.Hub
	for i := range l.Mesh.Products {
		v := &l.Mesh.Products[i]
		for _, c := range []struct{ what, leaf, hub string }{{"meshctl", v.Meshctl, h.Meshctl}, {"nats-server", v.Server, h.Server}} {
			if why := unfit(c.leaf, c.hub); why != "" {
				found = append(found, Finding{Where: v.Name, Seen: fmt.Sprintf("it runs %s %s, %s than the hub's %s", c.what, c.leaf, why, c.hub)})
			}
		}
	}
	return found
}

// unfit says in what way a leaf's version does not fit the hub's: it may be the same, or
// one minor version older. What is no version of a release fits anything.
func unfit(leaf, hub string) string {
	a, okA := release(leaf)
	b, okB := release(hub)
	switch {
	case !okA || !okB:
		return ""
	case slices.Compare(a[:], b[:]) > 0:
		return "newer"
	case a[0] != b[0] || b[1]-a[1] > 1:
		return "much older"
	}
	return ""
}

// release is the major and minor of a version such as v1.2.3.
func release(version string) (r [2]int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 3 {
		return r, false
	}
	for i := range r {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return r, false
		}
		r[i] = n
	}
	return r, true
}
