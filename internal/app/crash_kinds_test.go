package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/objectstest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

const crashHead = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: %s, domain: lab, owner: lab@example.org, version: 1.0.0}
spec:
  storage: {segmentRows: 200, segmentAge: 1s}
`

const doorSpec = `  outputs:
  - name: %[1]s
    type: state
    key: [id]
    schema:
    - {name: id, logicalType: string}
    - {name: n, logicalType: integer, required: true}
  - name: facts
    type: event
    schema:
    - {name: id, logicalType: string}
    - {name: n, logicalType: integer, required: true}
`

const rawSpec = `  inputs:
  - name: raw
    schema:
    - {name: id, logicalType: string}
    - {name: n, logicalType: integer}
    - {name: what, logicalType: string}
`

const madeSpec = `  outputs:
  - name: made
    type: %s
    key: [id]
    schema:
    - {name: id, logicalType: string}
    - {name: n, logicalType: integer, required: true}
    - {name: run, logicalType: string, required: true}
`

const sumsSpec = `  inputs:
  - {name: things, port: things.things}
  logic:
    sql:
      mode: table
      interval: 10ms
      query: SELECT id[1:2] AS id, count(*) AS c, sum(n)::BIGINT AS n FROM things GROUP BY 1
  outputs:
  - name: sums
    type: state
    key: [id]
    schema:
    - {name: id, logicalType: string}
    - {name: n, logicalType: integer, required: true}
    - {name: c, logicalType: integer, required: true}
`

func crashPort(name, port string) product.PortID {
	return product.PortID{Product: name, Domain: "lab", Port: port, Major: 1}
}

// records makes lines over so many keys. deletes and bad are how many in a hundred are such.
func records(keys, deletes, bad int, format func(l line) string) func(*rand.Rand) line {
	var n int64
	return func(rng *rand.Rand) line {
		n++
		l := line{id: fmt.Sprintf("k%03d", rng.IntN(keys)), n: n}
		switch p := rng.IntN(100); {
		case p < deletes:
			l.kind = "delete"
		case p < deletes+bad:
			l.kind = "bad"
		}
		l.text = format(l)
		return l
	}
}

func doorLine(l line) string {
	switch l.kind {
	case "delete":
		return fmt.Sprintf(`{"$delete":%q}`, l.id)
	case "bad":
		return fmt.Sprintf(`{"id":%q, "m":%d}`, l.id, l.n)
	}
	return fmt.Sprintf(`{"id":%q,"n":%d}`, l.id, l.n)
}

func TestKilledProductWithoutLogicLosesAndDoublesNothing(t *testing.T) {
	r := crashed(t, crash{
		products: map[string]string{"things": fmt.Sprintf(crashHead, "things") + fmt.Sprintf(doorSpec, "things")},
		ports:    []product.PortID{crashPort("things", "things"), crashPort("things", "facts")},
		next:     records(300, 15, 5, doorLine), share: 14,
	})
	r.checkDoor(t, crashPort("things", "things"), true)
	r.checkDoor(t, crashPort("things", "facts"), false)
}

// The bucket is busy at times, the process is killed between upload and commit, and now and
// then the volume has lost its tables when it starts again.
func TestKilledProductWithABucketLosesAndDoublesNothing(t *testing.T) {
	bucketKeys(t)
	s := objectstest.New(t)
	proxy := objectstest.NewProxy(t, s.URL)
	busy := rand.New(rand.NewPCG(1, 2))
	proxy.Set(func(*http.Request) objectstest.Fault { // one request at a time
		switch busy.IntN(12) {
		case 0:
			return objectstest.Fault{Status: http.StatusServiceUnavailable}
		case 1:
			return objectstest.Fault{Drop: true}
		case 2:
			return objectstest.Fault{Slow: 50 * time.Millisecond}
		}
		return objectstest.Fault{}
	})
	storage := fmt.Sprintf("storage: {bucket: s3://%s, endpoint: %q, pathStyle: true, cache: 64Ki, ", objectstest.Bucket, proxy.URL)
	r := crashed(t, crash{
		products: map[string]string{"things": strings.Replace(fmt.Sprintf(crashHead, "things"), "storage: {", storage, 1) + fmt.Sprintf(doorSpec, "things")},
		ports:    []product.PortID{crashPort("things", "things"), crashPort("things", "facts")},
		next:     records(300, 15, 5, doorLine), share: 10,
		killed: func(rng *rand.Rand, o childOptions) error {
			if rng.IntN(2) == 0 {
				return nil
			}
			return os.RemoveAll(filepath.Join(o.Data, tableFolder))
		},
	})
	r.checkDoor(t, crashPort("things", "things"), true)
	r.checkDoor(t, crashPort("things", "facts"), false)
	proxy.Set(nil)
	checkBucket(t, s, "things/things-v1", "things/facts-v1")
	if n := segments(t, s.Root); n < 2 {
		t.Errorf("the bucket has %d segments, so no kill can have hit that", n)
	}
	t.Logf("%d objects were uploaded, %d are left", proxy.Seen(http.MethodPut), len(s.Objects()))
}

// checkBucket waits until the bucket has what the manifests name and nothing else.
func checkBucket(t *testing.T, s *objectstest.Server, folders ...string) {
	t.Helper()
	var got, want []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); pause(t.Context(), 50*time.Millisecond) {
		want = []string{"things/meshctl.json"}
		for _, folder := range folders {
			data, err := os.ReadFile(filepath.Join(s.Root, objectstest.Bucket, folder, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			var m struct{ Segments []struct{ File string } }
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			want = append(want, folder+"/manifest.json")
			for _, segment := range m.Segments {
				want = append(want, folder+"/"+segment.File)
			}
		}
		got = s.Objects()
		slices.Sort(got)
		slices.Sort(want)
		if slices.Equal(got, want) {
			return
		}
	}
	same(t, "the bucket", got, want)
}

func TestKilledHubLosesNothingAndLeavesServe(t *testing.T) {
	r := crashed(t, crash{
		products: map[string]string{"things": fmt.Sprintf(crashHead, "things") + fmt.Sprintf(doorSpec, "things")},
		ports:    []product.PortID{crashPort("things", "things")},
		next:     records(300, 15, 5, doorLine), share: 10,
		probe: "/v1/ports/things/scan?limit=5",
	})
	r.checkDoor(t, crashPort("things", "things"), true)
}

func TestKilledProductWithSQLOverBatchesIsExactlyOnce(t *testing.T) {
	yaml := fmt.Sprintf(crashHead, "made") + rawSpec + `  logic:
    sql: {query: "SELECT id, 2 * n AS n, uuid()::VARCHAR AS run FROM raw"}
` + fmt.Sprintf(madeSpec, "event")
	r := crashed(t, crash{
		products: map[string]string{"made": yaml},
		ports:    []product.PortID{crashPort("made", "raw")}, into: crashPort("made", "made"),
		next: records(300, 0, 5, func(l line) string {
			if l.kind == "bad" {
				return fmt.Sprintf(`{"id":%q,"n":"x%d"}`, l.id, l.n)
			}
			return fmt.Sprintf(`{"id":%q,"n":%d}`, l.id, l.n)
		}), share: 10,
	})
	r.checkMade(t, false)
}

func TestKilledProductWithAProgramIsExactlyOnce(t *testing.T) {
	yaml := fmt.Sprintf(crashHead, "made") + rawSpec + `  logic:
    command: {run: ["` + programPath(t) + `"], env: {` + roleVar + `: program}, batchSize: 100}
` + fmt.Sprintf(madeSpec, "state")
	r := crashed(t, crash{
		products: map[string]string{"made": yaml},
		ports:    []product.PortID{crashPort("made", "raw")}, into: crashPort("made", "made"),
		next: records(300, 10, 5, func(l line) string {
			what := l.kind
			if what == "bad" {
				what = "reject"
			}
			return fmt.Sprintf(`{"id":%q,"n":%d,"what":%q}`, l.id, l.n, what)
		}), share: 10,
	})
	r.checkMade(t, true)
}

func TestKilledProductWithSQLOverTablesFollowsItsInputs(t *testing.T) {
	things, sums := crashPort("things", "things"), crashPort("sums", "sums")
	r := crashed(t, crash{
		products: map[string]string{
			"things": fmt.Sprintf(crashHead, "things") + fmt.Sprintf(doorSpec, "things"),
			"sums":   fmt.Sprintf(crashHead, "sums") + sumsSpec,
		},
		ports: []product.PortID{things},
		next:  records(300, 15, 5, doorLine), share: 10,
	})
	r.checkDoor(t, things, true)
	w := &world{client: r.client}
	want, _ := w.query(t, "SELECT id[1:2] AS id, sum(n)::BIGINT AS n FROM things.things GROUP BY 1 ORDER BY 1")
	r.await(t, "SELECT id, n FROM sums.sums ORDER BY id", want)
	log := r.log(t, sums)
	before := map[string]string{}
	for _, m := range log {
		if before[m.Key] == string(m.Value) {
			t.Errorf("record %d of %s changes nothing: %s", m.Seq, sums, m.Value)
		}
		before[m.Key] = string(m.Value)
	}
	r.checkStores(t, sums, log, true)
}

// log is the whole log of a port.
func (r *crashRun) log(t *testing.T, id product.PortID) []Tailed {
	t.Helper()
	var log []Tailed
	err := r.client.Tail(t.Context(), id.String(), TailOptions{}, func(m Tailed) error {
		m.Value = slices.Clone(m.Value)
		log = append(log, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// checkDoor compares a port without logic with what was published to it.
func (r *crashRun) checkDoor(t *testing.T, id product.PortID, state bool) {
	t.Helper()
	var want, dead []string
	for _, l := range r.published[id] {
		switch {
		case l.kind == "bad" || l.kind == "delete" && !state:
			dead = append(dead, l.text)
		case l.kind == "delete":
			want = append(want, "delete "+l.id)
		default:
			want = append(want, l.text)
		}
	}
	log := r.log(t, id)
	got := make([]string, len(log))
	for i, m := range log {
		got[i] = string(m.Value)
		if m.Deleted {
			got[i] = "delete " + m.Key
		}
	}
	same(t, "log of "+id.String(), got, want)
	r.checkDead(t, id, dead)
	r.checkStores(t, id, log, state)
}

// checkMade compares the port of logic that doubles n with what was published.
func (r *crashRun) checkMade(t *testing.T, state bool) {
	t.Helper()
	var want, dead []string
	for _, l := range r.published[r.ports[0]] {
		switch l.kind {
		case "bad":
			dead = append(dead, l.text)
		case "delete":
			want = append(want, "delete "+l.id)
		default:
			want = append(want, fmt.Sprintf("%s %d", l.id, 2*l.n))
		}
	}
	log := r.log(t, r.into)
	got := make([]string, len(log))
	runs := map[string]bool{}
	for i, m := range log {
		if m.Deleted {
			got[i] = "delete " + m.Key
			continue
		}
		row := parseRow(t, m.Value)
		got[i] = fmt.Sprintf("%s %d", row.ID, row.N)
		if runs[row.Run] {
			t.Errorf("record %d of %s repeats run %s", m.Seq, r.into, row.Run)
		}
		runs[row.Run] = true
	}
	same(t, "log of "+r.into.String(), got, want)
	r.checkDead(t, r.into, dead)
	r.checkStores(t, r.into, log, state)
}

func (r *crashRun) checkDead(t *testing.T, id product.PortID, want []string) {
	t.Helper()
	letters, err := r.client.DeadLetters(t.Context(), id.String())
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(letters))
	for i, l := range letters {
		got[i] = l.Value
	}
	same(t, "dead letters of "+id.String(), got, want)
}

type crashRow struct {
	ID  string `json:"id"`
	N   int64  `json:"n"`
	Run string `json:"run"`
}

func parseRow(t *testing.T, value []byte) crashRow {
	t.Helper()
	var row crashRow
	if err := json.Unmarshal(value, &row); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return row
}

// checkStores compares key-value and table with the log.
func (r *crashRun) checkStores(t *testing.T, id product.PortID, log []Tailed, state bool) {
	t.Helper()
	latest := map[string]string{}
	var rows []string
	for _, m := range log {
		delete(latest, m.Key)
		if m.Deleted {
			continue
		}
		latest[m.Key] = string(m.Value)
		if !state {
			row := parseRow(t, m.Value)
			rows = append(rows, fmt.Sprintf("%s|%d", row.ID, row.N))
		}
	}
	keys := slices.Sorted(maps.Keys(latest))
	if _, keyed := latest[""]; !keyed {
		var want, got []string
		for _, key := range keys {
			want = append(want, key+" "+latest[key])
			if row := parseRow(t, []byte(latest[key])); state {
				rows = append(rows, fmt.Sprintf("%s|%d", row.ID, row.N))
			}
		}
		_, err := r.client.Scan(t.Context(), id.String(), serve.ScanRequest{}, func(rec serve.Record) error {
			got = append(got, rec.Key+" "+string(rec.Value))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "scan of "+id.String(), got, want)
	}
	slices.Sort(rows)
	w := &world{client: r.client}
	table, _ := w.query(t, fmt.Sprintf("SELECT id, n FROM %s.%s", id.Product, id.Table()))
	slices.Sort(table)
	same(t, "table of "+id.String(), table, rows)
}

// await asks until the rows are those wanted.
func (r *crashRun) await(t *testing.T, sql string, want []string) {
	t.Helper()
	w := &world{client: r.client}
	var rows []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); pause(t.Context(), 50*time.Millisecond) {
		if rows, _ = w.query(t, sql); strings.Join(rows, ";") == strings.Join(want, ";") {
			return
		}
	}
	t.Fatalf("%s: %v, want %v", sql, rows, want)
}

// same tells where two lists differ first.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Errorf("%s has %d, want %d; from %d on it is %q, want %q", what, len(got), len(want), i,
		got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
}

func programPath(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
