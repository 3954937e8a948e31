package doctor

import (
	"fmt"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// flowChecks are of whether records get where they belong.
func flowChecks() []Check {
	return []Check{
		{
			ID: "failing", About: "a step of a product fails",
			Why:  "Records wait before it; nothing is lost, and nothing comes through.",
			Do:   "see meshctl catalog show PRODUCT, and the product's log",
			live: failing,
		},
		{
			ID: "source-still", About: "a leaf is joined, and what it copies does not move",
			Why:  "It answers with what it had: nobody sees that it gets old.",
			Do:   "see meshctl leaf info of both products, and whether the port is granted",
			live: stillSources,
		},
		{
			ID: "consumer-stuck", About: "a consumer has something to do and does nothing",
			Why:  "What reads by it stands still; a work queue that it reads fills up.",
			Do:   "see whether its reader runs and acknowledges; remove it with meshctl stream consumers when nobody needs it",
			live: stuckConsumers,
		},
		{
			ID: "store-position", About: "a store and its log disagree on the position",
			Why:  "The store holds what the log does not, or will never hold what the log had: its answers are not those of the log.",
			Do:   "restore the log, or make the store again with meshctl rebuild PRODUCT",
			live: storePositions,
		},
		{
			ID: "log-gaps", About: "a log lacks records that nobody removed",
			Why:  "Its files are damaged: who reads it from the beginning, as a rebuild does, gets less than the stores hold.",
			Do:   "restore the log from a backup with meshctl stream restore; rebuild no store before that",
			live: logGaps,
		},
	}
}

func failing(l *Live) (found []Finding) {
	all := append([]catalog.Vitals{l.Mesh.Hub}, l.Mesh.Products...)
	for _, v := range all {
		if v.Error != "" {
			found = append(found, Finding{Where: v.Name, Seen: v.Error})
		}
		for _, p := range v.Ports {
			if p.Error != "" {
				found = append(found, Finding{Where: p.Port, Seen: p.Error})
			}
		}
	}
	return found
}

func stillSources(l *Live) (found []Finding) {
	for i := range l.Mesh.Products {
		v := &l.Mesh.Products[i]
		if v.Link == nil || !v.Link.Joined || v.Now.Sub(v.Link.Since) < l.Limits.Quiet {
			continue // without a link that is no wonder
		}
		told := map[string]bool{}
		for _, in := range v.Inputs {
			if in.Error != "" && !told[in.Port] {
				told[in.Port] = true
				found = append(found, Finding{Where: v.Name, Seen: fmt.Sprintf("input %s: %s", in.Name, in.Error)})
			}
		}
		for j := range v.Details {
			s := placed{v.Domain, &v.Details[j]}
			if told[s.Metadata[catalog.MetaSource]] {
				continue
			}
			sources := s.Sources
			if s.Mirror != nil {
				sources = append(sources[:len(sources):len(sources)], *s.Mirror)
			}
			for _, from := range sources {
				if seen := still(from, l.Limits.Quiet); seen != "" {
					found = append(found, Finding{Where: s.where(), Seen: seen})
				}
			}
		}
	}
	return found
}

// still says that nothing comes from a source.
func still(from catalog.Source, quiet time.Duration) string {
	since := time.Duration(from.Active)
	switch {
	case from.Error != "":
		return fmt.Sprintf("its source %s: %s", from.Stream, from.Error)
	case since < 0:
		return fmt.Sprintf("nothing was ever heard of its source %s", from.Stream)
	case since > quiet:
		return fmt.Sprintf("nothing was heard of its source %s for %s; it is %d messages behind", from.Stream, since.Round(time.Second), from.Lag)
	}
	return ""
}

func stuckConsumers(l *Live) (found []Finding) {
	for _, s := range l.streams() {
		for _, c := range s.Consumers {
			waits := c.Pending > 0 || c.Unacked > 0 && c.Acks
			if !waits || c.Paused || time.Duration(c.Idle) < l.Limits.Stuck {
				continue
			}
			found = append(found, Finding{Where: s.where() + "/" + c.Name, Seen: fmt.Sprintf(
				"%d messages wait and %d are not acknowledged, and nothing has happened for %s", c.Pending, c.Unacked, time.Duration(c.Idle).Round(time.Second))})
		}
	}
	return found
}

func storePositions(l *Live) (found []Finding) {
	for _, v := range l.Mesh.Products {
		for _, p := range v.Ports {
			for _, s := range p.Stores {
				switch {
				case s.Position > p.Last:
					found = append(found, Finding{Where: p.Port, Seen: fmt.Sprintf("its %s store is at %d, and its log ends at %d", s.Kind, s.Position, p.Last)})
				case p.First > s.Position+1 && p.Last > s.Position:
					found = append(found, Finding{Where: p.Port, Seen: fmt.Sprintf("its %s store is at %d, and its log begins at %d: what was between is gone", s.Kind, s.Position, p.First)})
				}
			}
		}
	}
	return found
}

// logGaps looks at what the server says of logs. Of a compacted one gaps mean nothing.
func logGaps(l *Live) (found []Finding) {
	logs := map[string]bool{}
	for _, v := range l.Mesh.Products {
		for _, p := range v.Ports {
			logs[v.Domain+"/"+p.Stream] = true
		}
	}
	for _, s := range l.streams() {
		switch gaps := s.Gaps(); {
		case s.Lost > 0:
			found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("its server found %d of its messages damaged when it started", s.Lost)})
		case gaps > 0 && s.PerKey == 0 && logs[s.where()]:
			found = append(found, Finding{Where: s.where(), Seen: fmt.Sprintf("%d records between %d and %d are not there", gaps, s.First, s.Last)})
		}
	}
	return found
}
