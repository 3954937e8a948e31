package manifest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

// The hub mounts its certificate and key; a product the authorities, and nothing that it
// could pretend to be the hub with.
func TestTLSSecret(t *testing.T) {
	p, files := descriptor(t)
	product, err := Product(p, files, Options{Namespace: "mesh", Image: testImage, TLSSecret: "hub-tls"})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := Hub(HubOptions{Namespace: "mesh", Image: testImage, TLSSecret: "hub-tls"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		all   []Object
		name  string
		files []string
		args  []string
	}{
		{product, "flights", []string{"ca.crt"}, []string{"--tls-ca", "/etc/meshctl/tls/ca.crt"}},
		{hub, "hub", []string{"tls.crt", "tls.key"}, []string{"--tls-cert", "/etc/meshctl/tls/tls.crt", "--tls-key", "/etc/meshctl/tls/tls.key"}},
	} {
		set := find(t, c.all, "StatefulSet", c.name)
		var mounted []string
		volumes, _ := at(t, set, "spec.template.spec.volumes").([]any)
		for _, v := range volumes {
			volume := Object(v.(map[string]any))
			if volume["name"] != "tls" {
				continue
			}
			items, _ := at(t, volume, "secret.items").([]any)
			for _, item := range items {
				mounted = append(mounted, fmt.Sprint(item.(map[string]any)["key"]))
			}
		}
		if !slices.Equal(mounted, c.files) {
			t.Errorf("%s mounts %q, want %q", c.name, mounted, c.files)
		}
		args := fmt.Sprint(at(t, set, "spec.template.spec.containers.0.args"))
		for _, arg := range c.args {
			if !strings.Contains(args, arg+" ") && !strings.Contains(args, arg+"]") {
				t.Errorf("%s has arguments %s without %s", c.name, args, arg)
			}
		}
	}
	if _, err := Product(p, files, Options{Namespace: "mesh", Image: testImage, TLSSecret: "No Name"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a secret of that name: %v", err)
	}
}
