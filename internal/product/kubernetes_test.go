package product

import (
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestCheckImage(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	for ref, ok := range map[string]bool{
		"meshctl:1":                               true,
		"meshctl:v1.2.3-rc.1":                     true,
		"localhost/meshctl:dev":                   true,
		"localhost:5000/a/b/c__d/e-f.g:1_2":       true,
		"registry.example.org/meshctl" + digest:   true,
		"registry.example.org/meshctl:1" + digest: true,
		"Registry.Example.org/meshctl:1":          true,
		"meshctl":                                 false,
		"localhost:5000/meshctl":                  false,
		"meshctl:latest":                          false,
		"meshctl:latest" + digest:                 false,
		"meshctl:LATEST":                          false,
		"":                                        false,
		"meshctl:":                                false,
		"Meshctl:1":                               false,
		"a//b:1":                                  false,
		"meshctl:1 ":                              false,
		"meshctl:1\n":                             false,
		"https://example.org/meshctl:1":           false,
		"meshctl@sha256:123":                      false,
		"meshctl:" + strings.Repeat("x", 129):     false,
		strings.Repeat("x", 256) + ":1":           false,
	} {
		err := CheckImage(ref)
		if (err == nil) != ok {
			t.Errorf("%q: %v", ref, err)
		}
		if err != nil && (fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "") {
			t.Errorf("%q: kind %s, hint %q", ref, fault.KindOf(err), fault.HintOf(err))
		}
	}
}

func TestLabelValue(t *testing.T) {
	for text, want := range map[string]string{
		"1.0.0": "1.0.0", "1.0.0+build.5": "1.0.0_build.5", "1.0.0-rc.1": "1.0.0-rc.1", "": "", "_.-": "",
		"größe": "gr__e", "1.0.0-": "1.0.0", strings.Repeat("a", 70): strings.Repeat("a", 63),
		strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62),
	} {
		if got := LabelValue(text); got != want {
			t.Errorf("LabelValue(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestKubernetesNames(t *testing.T) {
	for got, want := range map[string]string{
		HeadlessService("flights"): "flights-headless",
		CredsSecret("flights"):     "flights-creds",
		Pod("flights", 0):          "flights-0",
		PodHost("hub", 2, "mesh"):  "hub-2.hub-headless.mesh.svc",
		VolumeClaim("flights", 0):  "data-flights-0",
		HubLeafURL("mesh"):         "nats-leaf://hub.mesh.svc:7422",
		HubClientURL("mesh"):       "nats://hub.mesh.svc:4222",
		HTTPURL("flights", "mesh"): "http://flights.mesh.svc",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
