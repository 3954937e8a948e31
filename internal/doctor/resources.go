package doctor

import (
	"fmt"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// resourceChecks are of what runs out: disks, sizes, time.
func resourceChecks() []Check {
	return []Check{
		{
			ID: "unbounded", About: "a stream without limits is on a volume of known size",
			Why:     "It grows until the volume is full, and then takes no records any more.",
			Do:      "set retention of the port: age, bytes or records, or compact for a state port",
			folders: unboundedPorts,
			live:    unboundedStreams,
		},
		{
			ID: "payload", About: "the largest record of a contract is larger than a message may be",
			Why:     "Who publishes such a record is refused, though the contract allows it.",
			Do:      "lower maxLength or maxItems of the columns",
			folders: largeRecords,
			live:    smallPayloads,
		},
		{
			ID: "clock", About: "a clock goes wrong",
			Why:  "Credentials count as expired or not yet valid, ages and freshness are wrong, and records seem to come from the future.",
			Do:   "set the clock of that machine; let NTP keep it",
			live: clocks,
		},
		{
			ID: "disk", About: "a disk, or what streams may use of it, is nearly full",
			Why:  "A log that cannot be written takes no records until there is room again.",
			Do:   "free space, enlarge the volume, or shorten the retention",
			live: disks,
		},
		{
			ID: "credential", About: "a credential is about to expire",
			Why:  "Its holder cannot join any more from then on.",
			Do:   "renew it with meshctl creds rotate NAME",
			live: credentials,
		},
	}
}

func unboundedPorts(f *Folders) (found []Finding) {
	f.each(func(file string, p *product.Product) {
		if p.Spec.Storage.Size == product.DefaultSize {
			return
		}
		for _, out := range p.Spec.Outputs {
			if r := out.Retention; r.Age == 0 && r.Bytes == "" && r.Records == 0 && (!r.Compact || out.Type == product.Object) {
				found = append(found, Finding{Where: file, Seen: fmt.Sprintf("port %s keeps every record, on a volume of %s", out.Name, p.Spec.Storage.Size)})
			}
		}
	})
	return found
}

func unboundedStreams(l *Live) (found []Finding) {
	for i := range l.Mesh.Products {
		v := &l.Mesh.Products[i]
		if !onVolume(&v.Storage) {
			continue
		}
		for j := range v.Details {
			s := placed{v.Domain, &v.Details[j]}
			// Inboxes and dead letters are worked off, files go by age, and mirrors follow their origin.
			files := s.Metadata[catalog.MetaFiles] != ""
			own := s.Metadata[catalog.MetaProduct] != "" && s.Metadata[catalog.MetaPort] == "" && !files || s.Metadata[catalog.MetaAge] != ""
			if !s.Bounded() && s.Mirror == nil && !own {
				found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("nothing limits it, on a volume of %d MiB", v.Storage.Volume>>20)})
			}
		}
	}
	return found
}

// onVolume says whether the data is on a volume of about the size that the descriptor
// gives it. A laptop's disk is none.
func onVolume(s *catalog.Storage) bool {
	size := uint64(max(s.Volume, 0))
	return s.DiskSize > size/2 && s.DiskSize < size/4*5
}

func largeRecords(f *Folders) (found []Finding) {
	f.each(func(file string, p *product.Product) {
		for i := range p.Spec.Outputs {
			out := &p.Spec.Outputs[i]
			if most, ok := out.LargestRecord(); ok && most > product.MaxPayload {
				found = append(found, Finding{Where: file, Seen: fmt.Sprintf("a record of port %s may have %d bytes, a message %d", out.Name, most, product.MaxPayload)})
			}
		}
	})
	return found
}

func smallPayloads(l *Live) (found []Finding) {
	hub := l.Mesh.Hub.MaxPayload
	for _, e := range l.Catalog {
		v := l.Mesh.Product(e.Product.Metadata.Name)
		if v == nil {
			continue
		}
		least := min(hub, v.MaxPayload)
		if hub != v.MaxPayload {
			found = append(found, Finding{Where: v.Name, Do: "use one version of meshctl everywhere", Seen: fmt.Sprintf("its leaf takes messages of %d bytes, the hub of %d", v.MaxPayload, hub)})
		}
		for _, p := range e.Ports {
			if most, ok := p.Output.LargestRecord(); ok && most > least {
				found = append(found, Finding{Where: p.Address, Seen: fmt.Sprintf("a record may have %d bytes, a message %d", most, least)})
			}
		}
	}
	return found
}

// clocks compares the leaves' clocks with the hub's, and that with the asker's: one that
// goes wrong is told once.
func clocks(l *Live) (found []Finding) {
	h := &l.Mesh.Hub
	off := func(skew, unsure catalog.Span) bool {
		return time.Duration(skew).Abs() > l.Limits.Skew+time.Duration(unsure)
	}
	if off(h.Skew, h.RoundTrip) {
		found = append(found, Finding{Where: h.Name, Seen: fmt.Sprintf("its clock is %s of this machine's", ahead(h.Skew))})
	}
	for i := range l.Mesh.Products {
		v := &l.Mesh.Products[i]
		if skew := v.Skew - h.Skew; off(skew, v.RoundTrip+h.RoundTrip) {
			found = append(found, Finding{Where: v.Name, Seen: fmt.Sprintf("its clock is %s of the hub's", ahead(skew))})
		}
	}
	return found
}

func ahead(skew catalog.Span) string {
	d := time.Duration(skew).Round(time.Millisecond)
	if d < 0 {
		return (-d).String() + " behind"
	}
	return d.String() + " ahead"
}

func disks(l *Live) (found []Finding) {
	for _, v := range append([]catalog.Vitals{l.Mesh.Hub}, l.Mesh.Products...) {
		s := v.Storage
		if s.DiskSize > 0 && float64(s.DiskFree) < l.Limits.DiskFree*float64(s.DiskSize) && s.DiskFree < l.Limits.DiskRoom {
			found = append(found, Finding{Where: v.Name, Seen: fmt.Sprintf("%d MiB of %d are free on its disk", s.DiskFree>>20, s.DiskSize>>20)})
		}
		if s.Limit > 0 && float64(s.Used) > l.Limits.Used*float64(s.Limit) {
			found = append(found, Finding{Where: v.Name, Seen: fmt.Sprintf("its streams use %d MiB of the %d that they may", s.Used>>20, s.Limit>>20)})
		}
	}
	return found
}

func credentials(l *Live) (found []Finding) {
	soon := func(t time.Time) bool { return !t.IsZero() && t.Sub(l.Now) < l.Limits.Expiry }
	for _, v := range l.Mesh.Products {
		if soon(v.Expires) {
			found = append(found, Finding{Where: v.Name, Seen: fmt.Sprintf("the credential that it joins with expires %s", v.Expires.Format(time.RFC3339))})
		}
	}
	last := map[string]Credential{} // of people, the one that is good for longest
	for _, c := range l.Credentials {
		had, ok := last[c.Holder]
		if c.Product || c.Revoked || !c.Expires.IsZero() && c.Expires.Before(l.Now) {
			continue // a product says itself what it joins with
		}
		if !ok || c.Expires.IsZero() || !had.Expires.IsZero() && c.Expires.After(had.Expires) {
			last[c.Holder] = c
		}
	}
	for holder, c := range last {
		if soon(c.Expires) {
			found = append(found, Finding{Where: holder, Seen: fmt.Sprintf("the last credential of %s expires %s", holder, c.Expires.Format(time.RFC3339))})
		}
	}
	return found
}
