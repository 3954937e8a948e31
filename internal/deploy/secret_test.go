package deploy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// held is a product's unit with the holder of its credential.
func held(t *testing.T, c *kube.Cluster, name string, reads ...product.PortID) Unit {
	t.Helper()
	u := unit(t, c, name, "", nil)
	u.Holder = &trust.Holder{Name: name, Role: trust.Product, Reads: reads}
	return u
}

func hubUnit(t *testing.T, c *kube.Cluster) Unit {
	t.Helper()
	hub, err := Hub(manifest.HubOptions{Namespace: c.Namespace, Image: "localhost/meshctl:test"})
	if err != nil {
		t.Fatal(err)
	}
	return hub
}

// secret is what is in a Secret's only file.
func secret(t *testing.T, c *kube.Cluster, unit, key string) []byte {
	t.Helper()
	obj, err := c.Get(t.Context(), secretRef(unit, c.Namespace))
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(kube.Text(obj, "data", key))
	if err != nil || len(data) == 0 {
		t.Fatalf("secret of %s: %v", unit, err)
	}
	return data
}

func secretSteps(p *Plan) string {
	var lines []string
	for _, s := range p.Steps {
		if s.Object.Kind == "Secret" && s.Action != Unchanged {
			lines = append(lines, s.String())
		}
	}
	return strings.Join(lines, "\n")
}

// Products get what they join the hub with once the hub has been deployed, and again when
// it does not serve any more; the keys of the mesh are made once.
func TestDeployShipsCredentials(t *testing.T) {
	c := kubetest.Cluster(t)
	flights := product.PortID{Product: "flights", Port: "flights", Major: 1}
	delays := held(t, c, "delays", flights)
	if p := plan(t, c, PlanOptions{}, delays); secretSteps(p) != "" {
		t.Errorf("without a hub it plans\n%s", secretSteps(p))
	}
	p := plan(t, c, PlanOptions{}, hubUnit(t, c))
	if got := secretSteps(p); got != "create secret/hub-creds" {
		t.Errorf("for the hub it plans\n%s", got)
	}
	carry(t, c, p)
	kept := secret(t, c, "hub", product.KeysKey)
	deployed(t, c, hubUnit(t, c))
	if now := secret(t, c, "hub", product.KeysKey); !bytes.Equal(now, kept) {
		t.Error("the keys of the mesh were made anew")
	}
	keys, err := HubKeys(t.Context(), c)
	if err != nil || keys == nil {
		t.Fatalf("keys = %v, %v", keys, err)
	}

	p = plan(t, c, PlanOptions{}, delays)
	if got := secretSteps(p); got != "create secret/delays-creds" {
		t.Errorf("for the product it plans\n%s", got)
	}
	shown, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	carry(t, c, p)
	file := secret(t, c, "delays", product.CredsKey)
	creds, err := trust.ParseCreds(file)
	if err != nil || !creds.For(*delays.Holder) || creds.Account != keys.MeshAccount() {
		t.Fatalf("credential = %+v, %v", creds, err)
	}
	for what, text := range map[string]string{"token": creds.Token(), "file": base64.StdEncoding.EncodeToString(file)} {
		if strings.Contains(string(shown), text) {
			t.Errorf("the plan shows the %s", what)
		}
	}
	if p := plan(t, c, PlanOptions{}, delays); p.Changes() {
		t.Errorf("still\n%s", changes(p))
	}
	delays.Holder.Reads = append(delays.Holder.Reads, product.PortID{Product: "airports", Port: "airports", Major: 1})
	p = plan(t, c, PlanOptions{}, delays)
	if got := secretSteps(p); got != "change (in place) secret/delays-creds" {
		t.Errorf("for another input it plans\n%s", got)
	}
	carry(t, c, p)
	if creds, err = trust.ParseCreds(secret(t, c, "delays", product.CredsKey)); err != nil || !creds.For(*delays.Holder) {
		t.Errorf("credential = %+v, %v", creds, err)
	}
}
