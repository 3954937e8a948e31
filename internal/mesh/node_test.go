package mesh

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestHubNamesATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	taken := l.Addr().(*net.TCPAddr).Port
	for name, o := range map[string]HubOptions{
		"client": {Dir: t.TempDir(), ClientPort: taken, LeafPort: -1},
		"leaf":   {Dir: t.TempDir(), ClientPort: -1, LeafPort: taken},
	} {
		t.Run(name, func(t *testing.T) {
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
	_, err := StartLeaf(t.Context(), LeafOptions{Dir: t.TempDir(), Domain: "x", HubLeafURL: "nowhere"})
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
	h, err := StartHub(t.Context(), HubOptions{Dir: t.TempDir(), ClientPort: -1, LeafPort: -1})
	must(t, err)
	url := h.ClientURL()
	nc, err := Connect(t.Context(), ConnectOptions{URL: url, Name: "test"})
	must(t, err)
	_, err = Catalog(t.Context(), nc, "")
	must(t, err)
	nc.Close()
	closed(t, h)

	_, err = Connect(t.Context(), ConnectOptions{URL: url})
	wantKind(t, err, fault.Unavailable)
	_, err = Connect(t.Context(), ConnectOptions{Context: "no-such-context"})
	wantKind(t, err, fault.Invalid)
	_, err = Connect(t.Context(), ConnectOptions{URL: url, Creds: "no-such-file"})
	wantKind(t, err, fault.Invalid)
}

func TestConnectDenied(t *testing.T) {
	guarded, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, Username: "u", Password: "p", NoLog: true, NoSigs: true})
	must(t, err)
	guarded.Start()
	defer func() { guarded.Shutdown(); guarded.WaitForShutdown() }()
	if !guarded.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server is not ready")
	}
	_, err = Connect(t.Context(), ConnectOptions{URL: guarded.ClientURL()})
	wantKind(t, err, fault.Denied)
}
