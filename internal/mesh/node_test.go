package mesh

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/trust"
)

func TestHubNamesATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	taken := l.Addr().(*net.TCPAddr).Port
	for name, take := range map[string]func(*HubOptions){
		"client": func(o *HubOptions) { o.ClientPort = taken },
		"leaf":   func(o *HubOptions) { o.LeafPort = taken },
	} {
		t.Run(name, func(t *testing.T) {
			o := hubOptions(t)
			take(&o)
			h, err := StartHub(t.Context(), o)
			if err == nil {
				closed(t, h)
			}
			wantKind(t, err, fault.Conflict)
			if !strings.Contains(err.Error(), fmt.Sprint(taken)) || fault.HintOf(err) == "" {
				t.Errorf("error %q (hint %q) does not name port %d", err, fault.HintOf(err), taken)
			}
		})
	}
}

func TestLeafStandsAlone(t *testing.T) {
	m := startMesh(t)
	start := m.stopHub(t)
	eventually(t, "the leaf notices", func() bool { return !m.a.Connected() })

	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	if last := appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 10)); last != 10 {
		t.Fatalf("last = %d; want 10", last)
	}
	_, err := State(t.Context(), m.a.Conn(), "delays", "x")
	wantKind(t, err, fault.Unavailable)

	start()
	if s, err := State(t.Context(), m.b.Conn(), "flights", "flights-v1"); err != nil || s.Last != 10 {
		t.Fatalf("state from the other leaf = %+v, %v", s, err)
	}
}

func TestLeafRefusesBadHubAddress(t *testing.T) {
	_, err := StartLeaf(t.Context(), LeafOptions{Dir: t.TempDir(), Domain: "x", HubLeafURL: "nowhere", Creds: always(nil)})
	wantKind(t, err, fault.Invalid)
}

func TestLeafReopensItsData(t *testing.T) {
	dir := t.TempDir()
	l, err := StartLeaf(t.Context(), LeafOptions{Dir: dir, Domain: "flights"})
	must(t, err)
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	appendAll(t, l.Conn(), "flights-v1", numbered(1, 100))
	closed(t, l)
	l, err = StartLeaf(t.Context(), LeafOptions{Dir: dir, Domain: "flights"})
	must(t, err)
	defer closed(t, l)
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	if s, err := State(t.Context(), l.Conn(), "", "flights-v1"); err != nil || s.Msgs != 100 {
		t.Fatalf("state = %+v, %v; want 100 messages", s, err)
	}
}

func TestSecondLeafOfOneDomainIsAConflict(t *testing.T) {
	m := startMesh(t)
	second := startLeaf(t, "flights", m.hub.LeafURL())
	select {
	case err := <-second.Conflict():
		wantKind(t, err, fault.Conflict)
	case <-time.After(30 * time.Second):
		t.Fatal("no conflict within 30s")
	}
	select {
	case err := <-m.a.Conflict():
		t.Fatalf("the older leaf complains too: %v", err)
	default:
	}
}

func TestConnect(t *testing.T) {
	h, err := StartHub(t.Context(), hubOptions(t))
	must(t, err)
	url := h.ClientURL()
	file := credsFile(t, "ann", trust.ReadOnly)
	nc, err := Connect(t.Context(), ConnectOptions{URL: url, Name: "test", Creds: file})
	must(t, err)
	_, err = Catalog(nc).List(t.Context())
	must(t, err)
	nc.Close()
	closed(t, h)

	_, err = Connect(t.Context(), ConnectOptions{URL: url})
	wantKind(t, err, fault.Unavailable)
	_, err = Connect(t.Context(), ConnectOptions{Context: "no-such-context"})
	wantKind(t, err, fault.Invalid)
	_, err = Connect(t.Context(), ConnectOptions{URL: url, Creds: "no-such-file"})
	wantKind(t, err, fault.Invalid)
	_, err = Connect(t.Context(), ConnectOptions{URL: url, Creds: "node_test.go"})
	wantKind(t, err, fault.Invalid)
}

func TestConnectDenied(t *testing.T) {
	h, err := StartHub(t.Context(), hubOptions(t))
	must(t, err)
	defer closed(t, h)
	_, err = Connect(t.Context(), ConnectOptions{URL: h.ClientURL()})
	wantKind(t, err, fault.Denied)
}
