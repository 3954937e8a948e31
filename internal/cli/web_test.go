package cli

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/browsertest"
	"github.com/meshctl/meshctl/internal/host"
)

const roomsYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: rooms, domain: house, owner: house@example.org, version: 1.0.0, status: active}
spec:
  outputs:
  - name: rooms
    type: state
    key: [id]
    schema:
    - {name: id, logicalType: string}
    - {name: floor, logicalType: integer}
    - {name: beds, logicalType: integer, logicalTypeOptions: {minimum: 1}}
`

const floorsYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: floors, domain: house, owner: house@example.org, version: 1.0.0, status: active}
spec:
  inputs:
  - {name: rooms, port: rooms.rooms}
  logic:
    sql:
      mode: table
      query: SELECT floor, sum(beds)::BIGINT AS beds FROM rooms GROUP BY floor
  outputs:
  - name: floors
    type: state
    key: [floor]
    schema:
    - {name: floor, logicalType: integer}
    - {name: beds, logicalType: integer}
`

const plansYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: plans, domain: house, owner: house@example.org, version: 1.0.0, status: active}
spec:
  outputs: [{name: plans, type: object}]
`

// The page shows a real mesh in a real browser, from the first visit to a chart, as records
// come, and ends when it is told to.
func TestWeb(t *testing.T) {
	state, dirs := t.TempDir(), []string{}
	for _, text := range []string{roomsYAML, floorsYAML, plansYAML} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "dataproduct.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	m, err := app.StartMesh(t.Context(), app.MeshOptions{
		Hub:  app.HubOptions{Data: t.TempDir(), Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: filepath.Join(state, "meshctl"), Logger: log},
		Dirs: dirs, Version: "test", Env: os.Environ(), Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	env := func(name string) string { return map[string]string{"XDG_STATE_HOME": state}[name] }
	meshctl := func(ctx context.Context, out io.Writer, args ...string) int {
		return Main(ctx, &host.Host{Args: args, Env: env, Dir: state, In: strings.NewReader(""), Out: out, Err: t.Output(), Width: func() int { return 80 }, Now: time.Now})
	}
	publish := func(records ...string) {
		t.Helper()
		if code := meshctl(t.Context(), t.Output(), append([]string{"publish", "rooms"}, records...)...); code != 0 {
			t.Fatalf("publish ended with %d", code)
		}
	}
	publish(`{"id":"a","floor":1,"beds":2}`, `{"id":"b","floor":1,"beds":1}`, `{"id":"c","floor":2,"beds":4}`)
	if err := os.WriteFile(filepath.Join(state, "attic.pdf"), make([]byte, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := meshctl(t.Context(), t.Output(), "object", "put", "plans", "attic.pdf", "--meta", "storey=3"); code != 0 {
		t.Fatalf("object put ended with %d", code)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- meshctl(ctx, in, "ui", "floors", "--web") }()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p := browsertest.Open(t, strings.TrimSpace(address), browsertest.Desk)
	p.Until("main h1", "floors.floors")
	p.Until("main .facts", "2 of 2")
	publish(`{"id":"d","floor":3,"beds":3}`)
	p.Until("main .facts", "3 of 3") // by itself
	p.Press("4")
	p.Until("main svg", "rooms.rooms")
	p.Type("#words", "plans")
	p.Press("enter")
	p.Until("main h1", "plans.plans") // a port of files: its listing is a table like others
	p.Until("main", "files are put into it")
	p.Until("main", "meshctl object ls plans.plans")
	p.Until("main .facts", "files\n1")
	p.Click(".tabs a:nth-child(2)")
	p.Until("main table", "The file's bytes.")
	p.Click(".tabs a:nth-child(3)")
	p.Until("main .rows", "attic.pdf\t300000")
	p.Shot("files")
	p.Type("#words", "beds house")
	p.Press("enter")
	p.Until("main h1", "floors.floors")
	p.Click("#to-sql")
	p.Type("#statement", "SELECT r.id, r.beds, f.beds AS floor_beds FROM rooms r JOIN floors f USING (floor) ORDER BY 1")
	p.Click(".button.main")
	p.Until("main .rows", "d\t3\t3")
	p.Until("main .marks", "floors.floors as of record 3")
	p.Click(".tabs button:nth-child(2)")
	p.Until("main .chart", "4")
	p.Shot("chart")
	p.Expect("400")
	p.Expect("422")
	p.Type("#statement", "COPY rooms TO 'x.csv'")
	p.Click(".button.main")
	p.Until("main .problem", "✖")
	p.Expect("ERR_CONNECTION_REFUSED")
	p.Expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
	stop()
	select {
	case code := <-ended:
		if code != 0 && code != 130 {
			t.Errorf("it ended with %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it did not end within 10s")
	}
}
