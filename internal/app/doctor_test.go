package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/doctor"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// patient is a mesh that a test makes ill.
type patient struct {
	*world
	orders string // its folder
	limits doctor.Limits
}

// startPatient is a healthy mesh of products that read each other.
func startPatient(t *testing.T, data string) *patient {
	t.Helper()
	p := &patient{orders: folder(t, ordersYAML), limits: doctor.Usual()}
	p.world = startWorld(t, data, p.orders, folder(t, customersYAML), folder(t, revenueYAML))
	p.publish(t, "customers", `{"name":"Ann","city":"Rome"}`)
	p.publish(t, "orders", `{"id":"1","customer":"Ann","total":1.50}`, `{"id":"2","customer":"Ann","total":2}`)
	p.eventually(t, "SELECT city, orders FROM revenue", "Rome|2")
	p.limits.Quiet, p.limits.Stuck = 2*time.Second, time.Second
	return p
}

func (p *patient) examine(t *testing.T) doctor.Report {
	t.Helper()
	l, err := p.client.Examine(t.Context(), time.Now(), p.limits, false)
	if err != nil {
		t.Fatal(err)
	}
	return doctor.OfMesh(l)
}

// finds waits until a check finds something, and is the first thing that it finds.
func (p *patient) finds(t *testing.T, id string) doctor.Finding {
	t.Helper()
	var report doctor.Report
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		report = p.examine(t)
		for _, f := range report.Findings() {
			if f.Check == id {
				return f
			}
		}
	}
	t.Fatalf("check %s finds nothing; there is %+v", id, report.Findings())
	return doctor.Finding{}
}

// ask asks the JetStream API of a product's leaf for something and is the answer.
func (p *patient) ask(t *testing.T, name, subject string, what any) map[string]any {
	t.Helper()
	var body []byte
	if what != nil {
		var err error
		if body, err = json.Marshal(what); err != nil {
			t.Fatal(err)
		}
	}
	m, err := p.product(t, name).leaf.Conn().Request("$JS.API."+subject, body, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// does is ask, which must succeed.
func (p *patient) does(t *testing.T, name, subject string, what any) map[string]any {
	t.Helper()
	answer := p.ask(t, name, subject, what)
	if answer["error"] != nil {
		t.Fatalf("%s: %v", subject, answer["error"])
	}
	return answer
}

type object = map[string]any

// joins starts a leaf that is no product's.
func (p *patient) joins(t *testing.T, domain, holder string) *mesh.Leaf {
	t.Helper()
	creds, err := p.mesh.hub.keys.Issue(trust.Holder{Name: holder, Role: trust.Product}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := mesh.StartLeaf(t.Context(), mesh.LeafOptions{
		Dir: t.TempDir(), Domain: domain, HubLeafURL: p.mesh.hub.LeafURL(), Creds: func() (*trust.Creds, error) { return creds, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, l.Close)
	return l
}

// runs starts a further product beside the mesh's own.
func (p *patient) runs(t *testing.T, yaml string, change func(*ProductOptions)) *Product {
	t.Helper()
	o := ProductOptions{
		Dir: folder(t, yaml), Data: t.TempDir(), HubLeaf: p.mesh.hub.LeafURL(), Creds: p.mesh.hub.signer(), Version: "test", Logger: p.mesh.o.Logger,
	}
	change(&o)
	started, err := StartProduct(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, started.Close)
	return started
}

// ills make the mesh ill in one way each, and say where the doctor is to see it.
var ills = map[string]func(t *testing.T, p *patient) (where string){
	"domain-twice": func(t *testing.T, p *patient) string {
		p.joins(t, "orders", "orders")
		return "orders"
	},
	"domain-of-hub": func(t *testing.T, p *patient) string {
		p.joins(t, product.HubDomain, "spare")
		return product.HubDomain
	},
	"unknown-leaf": func(t *testing.T, p *patient) string {
		p.joins(t, "spare", "spare")
		return "spare"
	},
	"silent-product": func(t *testing.T, p *patient) string {
		p.enters(t, "ghost")
		return "ghost"
	},
	"versions": func(t *testing.T, p *patient) string {
		p.mesh.hub.version = "1.2.3"
		p.runs(t, eventsYAML, func(o *ProductOptions) { o.Version = "1.3.0" })
		return "events"
	},
	"subject-twice": func(t *testing.T, p *patient) string {
		p.does(t, "customers", "STREAM.CREATE.copy", object{"name": "copy", "subjects": []string{"shop.orders.orders.*.>"}, "storage": "file"})
		return "customers/copy"
	},
	"wrong-source": func(t *testing.T, p *patient) string {
		from := object{"name": "orders-v1", "external": object{"api": "$JS.nowhere.API"}}
		p.does(t, "customers", "STREAM.CREATE.copy", object{"name": "copy", "sources": []any{from}, "storage": "file"})
		return "customers/copy"
	},
	"source-without-durable": func(t *testing.T, p *patient) string {
		p.does(t, "orders", "STREAM.CREATE.jobs", object{"name": "jobs", "subjects": []string{"jobs.>"}, "retention": "workqueue", "storage": "file"})
		p.does(t, "orders", "STREAM.CREATE.done", object{"name": "done", "sources": []any{object{"name": "jobs"}}, "storage": "file"})
		return "orders/done"
	},
	"contract-version": func(t *testing.T, p *patient) string {
		config := p.does(t, "orders", "STREAM.INFO.orders-v1", nil)["config"].(object)
		config["metadata"].(object)[catalog.MetaContract] = "7.0.0"
		p.does(t, "orders", "STREAM.UPDATE.orders-v1", config)
		return "orders/orders-v1"
	},
	"failing": func(t *testing.T, p *patient) string {
		p.does(t, "orders", "STREAM.DELETE.in-orders-v1", nil)
		return "orders.orders"
	},
	"source-still": func(t *testing.T, p *patient) string {
		writeDescriptor(t, p.orders, granting(ordersYAML, "[]"))
		return "revenue"
	},
	"consumer-stuck": func(t *testing.T, p *patient) string {
		p.does(t, "orders", "CONSUMER.CREATE.orders-v1.worker", object{"stream_name": "orders-v1", "config": object{
			"name": "worker", "durable_name": "worker", "ack_policy": "explicit", "deliver_policy": "all",
		}})
		return "orders/orders-v1/worker"
	},
	"store-position": func(t *testing.T, p *patient) string {
		config := p.does(t, "orders", "STREAM.INFO.orders-v1", nil)["config"]
		p.does(t, "orders", "STREAM.DELETE.orders-v1", nil)
		p.does(t, "orders", "STREAM.CREATE.orders-v1", config)
		return "orders.orders"
	},
	"payload": func(t *testing.T, p *patient) string {
		p.runs(t, strings.Replace(eventsYAML, "{name: text, logicalType: string}", "{name: text, logicalType: string, logicalTypeOptions: {maxLength: 3000000}}", 1), func(*ProductOptions) {})
		return "events.events"
	},
	"clock": func(t *testing.T, p *patient) string {
		l := p.joins(t, "late", "late")
		s, err := mesh.Serve(l.Conn(), mesh.ServiceSpec{Name: "late", Version: "1.0.0", Endpoints: map[string]mesh.Handler{
			product.EndpointVitals: answerJSON(func(_ context.Context, q vitalsRequest) (catalog.Vitals, error) {
				v, err := l.Vitals(q.Deep)
				v.Now = time.Now().Add(-time.Hour)
				return v, err
			}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		closing(t, s.Close)
		p.enters(t, "late")
		return "late"
	},
	"credential": func(t *testing.T, p *patient) string {
		if _, err := p.client.IssueCreds(t.Context(), trust.Holder{Name: "ann", Role: trust.ReadOnly}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		return "ann"
	},
}

// enters puts an entry of a product that is none into the catalog.
func (p *patient) enters(t *testing.T, name string) {
	t.Helper()
	e := catalog.Entry{Product: product.Product{Metadata: product.Metadata{Name: name, Domain: "shop"}}, Seen: time.Now()}
	text, err := json.Marshal(e)
	if err == nil {
		err = mesh.Catalog(p.mesh.hub.Conn()).Put(t.Context(), name, text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each check is silent on a healthy mesh and finds what it is for on one that is ill.
func TestDoctorOfAMesh(t *testing.T) {
	for id, makeIll := range ills {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			p := startPatient(t, t.TempDir())
			p.healthy(t)
			where := makeIll(t, p)
			f := p.finds(t, id)
			if !strings.HasPrefix(f.Where, where) || f.Seen == "" || f.Why == "" || f.Do == "" {
				t.Errorf("finding = %+v; want it at %s", f, where)
			}
			t.Logf("%s: %s\n%s\n%s", f.Where, f.Seen, f.Why, f.Do)
		})
	}
}

// healthy waits until the doctor finds nothing, and that it stays so.
func (p *patient) healthy(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(100 * time.Millisecond) {
		found := p.examine(t).Findings()
		if len(found) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a healthy mesh has findings: %+v", found)
		}
	}
	<-time.After(p.limits.Quiet + 500*time.Millisecond) // sources that stand still would show now
	if found := p.examine(t).Findings(); len(found) > 0 {
		t.Fatalf("a healthy mesh has findings: %+v", found)
	}
}

// Every check of a mesh has a test that makes it fire.
func TestEveryCheckOfAMeshIsTested(t *testing.T) {
	elsewhere := []string{
		"disk", "unbounded", "hub-node", "replicas", // below
		"log-gaps",             // in flip_test.go
		"filter-and-transform", // the server refuses to make such a stream, see below
	}
	for _, c := range doctor.Checks() {
		if c.When() != "folders" && ills[c.ID] == nil && !slices.Contains(elsewhere, c.ID) {
			t.Errorf("nothing makes check %s fire", c.ID)
		}
	}
}

// What a volume of known size is to hold is limited before it is full.
func TestDoctorOfASmallVolume(t *testing.T) {
	disk := smallDisk(t, 400)
	if disk == "" {
		return
	}
	p := startPatient(t, t.TempDir())
	p.healthy(t)
	p.runs(t, eventsYAML+"  storage: {size: 400Mi}\n", func(o *ProductOptions) { o.Data = filepath.Join(disk, "data") })
	if f := p.finds(t, "unbounded"); f.Where != "events/events-v1" {
		t.Errorf("finding = %+v", f)
	}
}

func TestDoctorOfAFullDisk(t *testing.T) {
	disk := smallDisk(t, 400)
	if disk == "" {
		return
	}
	p := startPatient(t, filepath.Join(disk, "mesh"))
	p.healthy(t)
	free, err := diskOf(disk)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, free.free-30<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := p.finds(t, "disk"); !strings.Contains(f.Seen, "MiB") {
		t.Errorf("finding = %+v", f)
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
}

// A hub of three nodes that has lost one is ill.
func TestDoctorOfAHubThatLostANode(t *testing.T) {
	hubs, client := startHubCluster(t)
	p := &patient{world: &world{client: client}, limits: doctor.Usual()}
	p.healthy(t)
	if err := hubs.stop(2); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"hub-node": "2 of 3 nodes answer", "replicas": ""} {
		if f := p.finds(t, id); !strings.Contains(f.Seen, want) {
			t.Errorf("finding = %+v", f)
		}
	}
}

// The server itself refuses a source with a filter and a transform, so that none can be
// there unless it was made by another version.
func TestServerRefusesFilterAndTransform(t *testing.T) {
	p := startPatient(t, t.TempDir())
	from := object{"name": "orders-v1", "filter_subject": "shop.>", "subject_transforms": []any{object{"src": "shop.>", "dest": "copy.>"}}}
	answer := p.ask(t, "orders", "STREAM.CREATE.copy", object{"name": "copy", "sources": []any{from}, "storage": "file"})
	if answer["error"] == nil {
		t.Errorf("the server takes it now: make the check fire on a mesh; %v", answer)
	}
	l, err := p.client.Examine(t.Context(), time.Now(), p.limits, false)
	if err != nil {
		t.Fatal(err)
	}
	v := l.Mesh.Product("orders")
	v.Details = append(v.Details, catalog.Stream{Name: "copy", Sources: []catalog.Source{{Stream: "orders-v1", Filter: "shop.>", Transform: true}}})
	if found := fmt.Sprint(doctor.OfMesh(l).Findings()); !strings.Contains(found, "filter-and-transform orders/copy") {
		t.Errorf("findings = %s", found)
	}
}
