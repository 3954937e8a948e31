package app

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/mesh"
)

// The checks of other NATS tools find in the streams what the SLA promises, in a mesh as
// it is.
func TestStreamsSayHowTheyMayFare(t *testing.T) {
	promising := strings.Replace(ordersYAML, "    schema:\n", "    slaProperties:\n    - {property: freshness, value: 5, unit: m}\n    - {property: lag, value: 1000}\n    schema:\n", 1)
	w := startWorld(t, t.TempDir(), folder(t, promising), folder(t, customersYAML), folder(t, revenueYAML))
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`)
	w.eventually(t, "SELECT city, orders FROM revenue", "Rome|1")
	for at, want := range map[[2]string]map[string]string{
		{"orders", "orders-v1"}:                    {monitorEnabled: "true", monitorSeen: "", monitorLag: ""},
		{"revenue", "from-orders_orders-v1"}:       {monitorEnabled: "true", monitorSeen: "5m0s", monitorLag: "1000"},
		{"revenue", "from-customers_customers-v1"}: {monitorEnabled: "true", monitorSeen: "", monitorLag: ""},
	} {
		s, err := mesh.State(t.Context(), w.product(t, at[0]).leaf.Conn(), "", at[1])
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if s.Metadata[key] != value {
				t.Errorf("%s: %s = %q, want %q", at, key, s.Metadata[key], value)
			}
		}
	}
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %d %s, %v", url, res.StatusCode, text, err)
	}
	return string(text)
}

// What Prometheus scrapes of a product and of the hub is what they hold.
func TestMetricsOfProductAndHub(t *testing.T) {
	state := t.TempDir()
	o := meshOptions(t, t.TempDir(), state, folder(t, ordersYAML), folder(t, customersYAML), folder(t, revenueYAML))
	o.Hub.MonitorPort = -1
	m, err := StartMesh(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{mesh: m}
	t.Cleanup(func() { w.stop(t) })
	if w.client, err = Dial(t.Context(), ClientOptions{StateDir: state}); err != nil {
		t.Fatal(err)
	}
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`, `{"id":"2","customer":"Ann","total":1}`, `{"id":"3"}`)
	at := w.product(t, "orders").HTTPURL() + "/metrics"
	text := scrape(t, at)
	for !strings.Contains(text, "meshctl_consumer_pending{") { // until revenue's mirror has asked
		text = scrape(t, at)
		if t.Context().Err() != nil {
			t.Fatal(text)
		}
	}
	for _, want := range []string{
		`meshctl_store_position{product="orders",stream="orders-v1",store="table"} 2`,
		`meshctl_store_position{product="orders",stream="orders-v1",store="key-value"} 2`,
		`meshctl_store_lag{product="orders",stream="orders-v1",store="table"} 0`,
		`meshctl_port_accepted_total{product="orders",stream="orders-v1"} 2`,
		`meshctl_port_refused_total{product="orders",stream="orders-v1"} 1`,
		`meshctl_stream_messages{product="orders",stream="orders-v1"} 2`,
		`meshctl_stream_messages{product="orders",stream="dead"} 1`,
		`meshctl_link_up{product="orders"} 1`,
		`meshctl_link_joins_total{product="orders"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the product's metrics lack %s\n%s", want, text)
		}
	}
	for _, name := range []string{"meshctl_store_bytes", "meshctl_storage_used_bytes", "meshctl_disk_free_bytes", "meshctl_consumer_pending"} {
		if !strings.Contains(text, "\n"+name+"{") {
			t.Errorf("the product's metrics lack %s", name)
		}
	}
	checkFamilies(t, text)
	text = scrape(t, m.Hub().MonitorURL()+"/metrics")
	for _, want := range []string{
		`meshctl_hub_nodes{product="hub"} 1`, `meshctl_hub_leaves{product="hub"} 3`,
		`meshctl_stream_messages{product="hub",stream="KV_catalog"} 3`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the hub's metrics lack %s\n%s", want, text)
		}
	}
	if !strings.Contains(text, `meshctl_leaf_in_bytes_total{leaf="orders"`) {
		t.Errorf("the hub's metrics lack the leaves\n%s", text)
	}
	checkFamilies(t, text)
}

// checkFamilies says that every metric is told in one place, and once with its labels.
func checkFamilies(t *testing.T, text string) {
	t.Helper()
	families, samples := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			if families[name] {
				t.Errorf("metric %s is told twice", name)
			}
			families[name] = true
			continue
		}
		if sample, _, ok := strings.Cut(line, "} "); ok {
			if samples[sample] {
				t.Errorf("%s} is there twice", sample)
			}
			samples[sample] = true
		}
	}
}
