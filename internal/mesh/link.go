package mesh

import (
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/catalog"
)

// linkWindow is what the rates of a link are measured over.
const linkWindow = 5 * time.Second

// link is a leaf's connection to the hub, watched.
type link struct {
	srv *server.Server

	mu      sync.Mutex
	now     catalog.Uplink
	told    func(catalog.Event) // may be nil
	samples []traffic           // of the last linkWindow, oldest first
}

type traffic struct {
	at      time.Time
	in, out int64
}

// look takes a sample. It is called several times a second.
func (l *link) look(at time.Time) {
	leafs, err := l.srv.Leafz(nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	is := err == nil && len(leafs.Leafs) > 0
	if is != l.now.Joined || l.now.Since.IsZero() {
		l.now.Joined, l.now.Since, l.samples = is, at.UTC(), nil
		l.now.In, l.now.Out = 0, 0
		if is {
			l.now.Joins++
		}
		if l.told != nil && l.now.Joins > 0 { // at first it has lost nothing
			l.told(linkEvent(is, at))
		}
	}
	if !is {
		return
	}
	info := leafs.Leafs[0]
	l.now.RTT = rtt(info)
	l.now.InBytes, l.now.OutBytes = info.InBytes, info.OutBytes
	l.samples = append(l.samples, traffic{at, info.InBytes, info.OutBytes})
	for len(l.samples) > 2 && at.Sub(l.samples[1].at) >= linkWindow {
		l.samples = l.samples[1:]
	}
	if first := l.samples[0]; at.After(first.at) {
		seconds := at.Sub(first.at).Seconds()
		l.now.In, l.now.Out = float64(info.InBytes-first.in)/seconds, float64(info.OutBytes-first.out)/seconds
	}
}

// tell gives to each what happens from now on, and how it is now if something is known.
func (l *link) tell(each func(catalog.Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = each
	if l.now.Joined {
		each(linkEvent(true, l.now.Since))
	}
}

func linkEvent(joined bool, at time.Time) catalog.Event {
	if joined {
		return catalog.Event{Time: at.UTC(), Kind: "link-joined", Level: catalog.LevelInfo, Text: "the leaf has joined the hub"}
	}
	return catalog.Event{Time: at.UTC(), Kind: "link-lost", Level: catalog.LevelWarning, Text: "the leaf is not joined to the hub"}
}

func (l *link) state() *catalog.Uplink {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now
	return &now
}

// rtt is 0 where none was measured yet.
func rtt(info *server.LeafInfo) catalog.Span {
	d, err := time.ParseDuration(info.RTT)
	if err != nil {
		return 0
	}
	return catalog.Span(d)
}
