package manifest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

const testImage = "registry.example.org/meshctl:0.3.0"

// descriptor is a small product; edits replace pairs of its text.
func descriptor(t *testing.T, edits ...string) (*product.Product, map[string][]byte) {
	t.Helper()
	text := strings.NewReplacer(edits...).Replace(`apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata:
  name: flights
  domain: aviation
  owner: data@example.com
  version: 1.0.0
spec:
  outputs:
    - name: out
      type: event
      schema:
        - {name: id, logicalType: string}
`)
	p, problems := product.Parse("dataproduct.yaml", []byte(text))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return p, map[string][]byte{product.FileName: []byte(text)}
}

// flights are the objects of the small product.
func flights(t *testing.T, edits ...string) []Object {
	t.Helper()
	p, files := descriptor(t, edits...)
	all, err := Product(p, files, Options{Namespace: "mesh", Image: testImage, CreateNamespace: true})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func hub(t *testing.T, replicas int) []Object {
	t.Helper()
	all, err := Hub(HubOptions{Namespace: "mesh", Image: testImage, Replicas: replicas, CreateNamespace: true})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// find is the object of that kind and name.
func find(t *testing.T, all []Object, kind, name string) Object {
	t.Helper()
	for _, o := range all {
		if o.Kind() == kind && o.Name() == name {
			return o
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}

// at is the value at a path such as "spec.template.spec.containers.0.image".
func at(t *testing.T, o Object, path string) any {
	t.Helper()
	var v any = map[string]any(o)
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[strings.ReplaceAll(step, "~", ".")]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				t.Fatalf("%s %s has no %s", o.Kind(), o.Name(), path)
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// What shared rules say of every workload, product or hub.
func TestRules(t *testing.T) {
	const pod, container = "spec.template.spec.", "spec.template.spec.containers.0."
	for name, all := range map[string][]Object{"flights": flights(t), "hub": hub(t, 1)} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range []struct {
				kind, path string
				want       any
			}{
				{"StatefulSet", "spec.podManagementPolicy", "Parallel"},
				{"StatefulSet", "spec.serviceName", name + "-headless"},
				{"StatefulSet", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "Retain"},
				{"StatefulSet", "spec.persistentVolumeClaimRetentionPolicy.whenScaled", "Retain"},
				{"StatefulSet", "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "10Gi"},
				{"StatefulSet", pod + "automountServiceAccountToken", false},
				{"StatefulSet", pod + "serviceAccountName", name},
				{"StatefulSet", pod + "securityContext.runAsNonRoot", true},
				{"StatefulSet", pod + "securityContext.runAsUser", int64(65532)},
				{"StatefulSet", pod + "securityContext.fsGroup", int64(65532)},
				{"StatefulSet", pod + "securityContext.fsGroupChangePolicy", "OnRootMismatch"},
				{"StatefulSet", pod + "securityContext.seccompProfile.type", "RuntimeDefault"},
				{"StatefulSet", pod + "topologySpreadConstraints.0.topologyKey", "kubernetes.io/hostname"},
				{"StatefulSet", pod + "terminationGracePeriodSeconds", int64(45)},
				{"StatefulSet", pod + "volumes.0.emptyDir.sizeLimit", "256Mi"},
				{"StatefulSet", pod + "volumes.1.secret.secretName", name + "-creds"},
				{"StatefulSet", pod + "volumes.1.secret.optional", true},
				{"StatefulSet", container + "image", testImage},
				{"StatefulSet", container + "securityContext.readOnlyRootFilesystem", true},
				{"StatefulSet", container + "securityContext.allowPrivilegeEscalation", false},
				{"StatefulSet", container + "securityContext.capabilities.drop.0", "ALL"},
				{"StatefulSet", container + "lifecycle.preStop.sleep.seconds", int64(5)},
				{"StatefulSet", container + "resources.limits.ephemeral-storage", "512Mi"},
				{"PodDisruptionBudget", "spec.maxUnavailable", int64(1)},
				{"PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", "AlwaysAllow"},
				{"ServiceAccount", "automountServiceAccountToken", false},
			} {
				if got := at(t, find(t, all, rule.kind, name), rule.path); got != rule.want {
					t.Errorf("%s %s is %v, want %v", rule.kind, rule.path, got, rule.want)
				}
			}
			set := find(t, all, "StatefulSet", name)
			if !reflect.DeepEqual(at(t, set, container+"resources.limits"), at(t, set, container+"resources.requests")) {
				t.Error("requests are not the limits")
			}
			probes := map[string]bool{}
			for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
				probes[fmt.Sprint(at(t, set, container+probe))] = true
			}
			if len(probes) != 3 {
				t.Errorf("%d different probes, want 3", len(probes))
			}
			headless := find(t, all, "Service", name+"-headless")
			if at(t, headless, "spec.clusterIP") != "None" {
				t.Error("the headless Service has an address")
			}
			checkSelectors(t, all, name)
		})
	}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		if got := at(t, find(t, hub(t, 1), "Namespace", "mesh"), "metadata.labels.pod-security~kubernetes~io/"+mode); got != "restricted" {
			t.Errorf("the namespace's %s is %v", mode, got)
		}
	}
}

// checkSelectors checks that every selector finds the pods, and that none names what
// changes.
func checkSelectors(t *testing.T, all []Object, name string) {
	t.Helper()
	set := find(t, all, "StatefulSet", name)
	pods, _ := at(t, set, "spec.template.metadata.labels").(map[string]any)
	for _, s := range []struct {
		object Object
		path   string
	}{
		{set, "spec.selector.matchLabels"},
		{set, "spec.template.spec.topologySpreadConstraints.0.labelSelector.matchLabels"},
		{find(t, all, "Service", name), "spec.selector"},
		{find(t, all, "Service", name+"-headless"), "spec.selector"},
		{find(t, all, "PodDisruptionBudget", name), "spec.selector.matchLabels"},
		{find(t, all, "NetworkPolicy", name), "spec.podSelector.matchLabels"},
	} {
		selector, _ := at(t, s.object, s.path).(map[string]any)
		if len(selector) < 3 || selector[product.LabelVersion] != nil {
			t.Errorf("%s %s selects %v", s.object.Kind(), s.object.Name(), selector)
		}
		for k, v := range selector {
			if pods[k] != v {
				t.Errorf("%s %s selects %s=%v, and pods have %v", s.object.Kind(), s.object.Name(), k, v, pods[k])
			}
		}
	}
	claim, _ := at(t, set, "spec.volumeClaimTemplates.0.metadata.labels").(map[string]any)
	if len(claim) == 0 || claim[product.LabelVersion] != nil {
		t.Errorf("the claim template, which may not change, has labels %v", claim)
	}
}

// Every object bears every recommended label, and fits what Kubernetes allows, with the
// longest names that there are.
func TestLongestNames(t *testing.T) {
	long := "a" + strings.Repeat("b", 39)
	all := flights(t, "name: flights", "name: "+long, "domain: aviation", "domain: "+long,
		"version: 1.0.0", "version: 1.0.0-"+strings.Repeat("x", 60)+".-+b-")
	for _, o := range all {
		if len(o.Name()) > 63 {
			t.Errorf("%s has the name %s", o.Kind(), o.Name())
		}
		if o.Kind() == "Namespace" {
			continue
		}
		labels, _ := at(t, o, "metadata.labels").(map[string]any)
		for _, label := range []string{"name", "instance", "component", "part-of", "managed-by", "version"} {
			value, _ := labels["app.kubernetes.io/"+label].(string)
			if value == "" || len(value) > 63 || value != product.LabelValue(value) {
				t.Errorf("%s %s has the label %s=%q", o.Kind(), o.Name(), label, value)
			}
		}
	}
	// The controller labels pods with the StatefulSet's name and a hash of ten.
	if name := find(t, all, "StatefulSet", long).Name() + "-0123456789"; len(name) > 63 {
		t.Errorf("revision %s is too long", name)
	}
}

// A product cannot be named so that its objects are another's.
func TestNamesDoNotCollide(t *testing.T) {
	names := map[string]string{}
	for owner, all := range map[string][]Object{
		"flights": flights(t), "hub": hub(t, 3),
		"flights-0":       flights(t, "name: flights", "name: flights-0"),
		"flights-creds":   flights(t, "name: flights", "name: flights-creds"),
		"hub-0":           flights(t, "name: flights", "name: hub-0"),
		"data-flights":    flights(t, "name: flights", "name: data-flights"),
		"flights-service": flights(t, "name: flights", "name: flights-service"),
	} {
		files, err := Files(all)
		if err != nil {
			t.Fatal(err)
		}
		for name := range files {
			if other, ok := names[name]; ok && !strings.HasSuffix(name, "-namespace.yaml") && name != KustomizationFile {
				t.Errorf("%s is a file of both %s and %s", name, owner, other)
			}
			names[name] = owner
		}
		for _, o := range all {
			key := o.Kind() + " " + o.Name()
			if other, ok := names[key]; ok && o.Kind() != "Namespace" {
				t.Errorf("%s is both %s's and %s's", key, owner, other)
			}
			names[key] = owner
		}
	}
	for _, name := range []string{"hub", "flights-headless", "default", "kubernetes"} {
		text := strings.Replace("apiVersion: meshctl.dev/v1alpha1\nkind: DataProduct\nmetadata: {name: NAME, domain: d, owner: o, version: 1.0.0}\n"+
			"spec: {outputs: [{name: out, type: event, schema: [{name: id, logicalType: string}]}]}\n", "NAME", name, 1)
		if _, problems := product.Parse("", []byte(text)); len(problems) == 0 {
			t.Errorf("a product may be named %s", name)
		}
	}
}

// Objects are JSON values, as unstructured objects must be; anything else panics there.
func TestJSONValuesOnly(t *testing.T) {
	for _, all := range [][]Object{flights(t), hub(t, 1), hub(t, 3)} {
		for _, o := range all {
			jsonOnly(t, o.Kind(), map[string]any(o))
		}
	}
}

func jsonOnly(t *testing.T, path string, v any) {
	t.Helper()
	switch v := v.(type) {
	case string, int64, float64, bool:
	case map[string]any:
		for k, inner := range v {
			jsonOnly(t, path+"."+k, inner)
		}
	case []any:
		if v == nil {
			t.Errorf("%s is a nil list", path)
		}
		for i, inner := range v {
			jsonOnly(t, fmt.Sprintf("%s[%d]", path, i), inner)
		}
	default:
		t.Errorf("%s is a %T", path, v)
	}
}

// A changed file makes new pods, and changes nothing that may not change.
func TestAChangedFileRollsThePods(t *testing.T) {
	before, after := flights(t), flights(t, "version: 1.0.0", "version: 1.0.1")
	path := "spec.template.metadata.annotations." + strings.ReplaceAll(product.AnnotationConfig, ".", "~")
	a, b := find(t, before, "StatefulSet", "flights"), find(t, after, "StatefulSet", "flights")
	if at(t, a, path) == at(t, b, path) || at(t, a, path) == nil {
		t.Errorf("the digest is %v, then %v", at(t, a, path), at(t, b, path))
	}
	for _, fixed := range []string{"spec.selector", "spec.serviceName", "spec.volumeClaimTemplates", "spec.podManagementPolicy"} {
		if !reflect.DeepEqual(at(t, a, fixed), at(t, b, fixed)) {
			t.Errorf("%s changes with the version", fixed)
		}
	}
}

// What is written is read back as it is, whatever the files hold, and the same twice.
func TestYAMLRoundTrip(t *testing.T) {
	p, files := descriptor(t)
	for i, text := range []string{
		"", "\n", " ", "\t", "a\r\nb", "# a\n", "- a\n", "yes", "0x10", "1e3", "null", "~", "=", "a: b\n \n", "trailing \n\n\n",
		"\u00e9\u4e2d\U0001f600", "\u0085", "\u2028", "\ufeffx", "\x00", "\x1b[0m", "\xff\xfe", "'\"`%@&*!|>", strings.Repeat("long ", 100), "---\n...\n",
	} {
		files[fmt.Sprintf("f%d", i)] = []byte(text)
	}
	all, err := Product(p, files, Options{Namespace: "mesh", Image: testImage})
	if err != nil {
		t.Fatal(err)
	}
	first, err := YAML(all)
	if err != nil {
		t.Fatal(err)
	}
	again, err := YAML(all)
	if err != nil || string(again) != string(first) {
		t.Errorf("a second time it is written otherwise: %v", err)
	}
	documents, err := Files(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		name := o.Name() + "-" + strings.ToLower(o.Kind()) + ".yaml"
		var back, want any
		if err := yaml.Unmarshal(documents[name], &back); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := yaml.Marshal(map[string]any(o))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, want) {
			t.Errorf("%s is read back otherwise", name)
		}
		if o.Kind() == "ConfigMap" {
			sameFiles(t, back.(map[string]any), files)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	p, files := descriptor(t)
	for name, o := range map[string]Options{
		"no namespace":  {Image: testImage},
		"namespace":     {Namespace: "A", Image: testImage},
		"no image":      {Namespace: "mesh"},
		"latest":        {Namespace: "mesh", Image: "x:latest"},
		"pull policy":   {Namespace: "mesh", Image: testImage, PullPolicy: "never"},
		"hub":           {Namespace: "mesh", Image: testImage, Hub: "hub.mesh.svc:7422"},
		"hub's port":    {Namespace: "mesh", Image: testImage, Hub: "nats-leaf://hub:70000"},
		"hub's port 0":  {Namespace: "mesh", Image: testImage, Hub: "nats-leaf://hub:0"},
		"hub with none": {Namespace: "mesh", Image: testImage, Hub: "nats-leaf://"},
	} {
		if _, err := Product(p, files, o); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q)", name, err, fault.HintOf(err))
		}
	}
	own, files := descriptor(t, "spec:\n", "spec:\n  image: example.org/flights:2\n")
	all, err := Product(own, files, Options{Namespace: "mesh", Image: testImage})
	if err != nil {
		t.Fatal(err)
	}
	if got := at(t, find(t, all, "StatefulSet", "flights"), "spec.template.spec.containers.0.image"); got != "example.org/flights:2" {
		t.Errorf("the descriptor's image gave way to %v", got)
	}
	for name, o := range map[string]HubOptions{
		"two":     {Namespace: "mesh", Image: testImage, Replicas: 2},
		"storage": {Namespace: "mesh", Image: testImage, Replicas: 1, StorageSize: "0"},
		"cpu":     {Namespace: "mesh", Image: testImage, Replicas: 1, CPU: "much"},
		"image":   {Namespace: "mesh", Replicas: 1},
	} {
		if _, err := Hub(o); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("hub, %s: %v", name, err)
		}
	}
}

// A leaf may reach the hub and the names, and nothing else.
func TestEgress(t *testing.T) {
	p, files := descriptor(t)
	for hub, want := range map[string]string{
		"":                               "map[ports:[map[port:7422 protocol:TCP]] to:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:mesh]]",
		"nats-leaf://hub.other.svc:7422": "to:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:other]]",
		"nats-leaf://hub.other.svc.cluster.local:9": "map[ports:[map[port:9 protocol:TCP]] to:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:other]]",
		"tls://hub.example.org":                     "map[ports:[map[port:7422 protocol:TCP]]]",
		"nats-leaf://other.mesh.svc:7422":           "map[ports:[map[port:7422 protocol:TCP]]]",
		"nats-leaf://[2001:db8::1]:443":             "map[ports:[map[port:443 protocol:TCP]]]",
	} {
		all, err := Product(p, files, Options{Namespace: "mesh", Image: testImage, Hub: hub})
		if err != nil {
			t.Fatal(err)
		}
		egress, _ := at(t, find(t, all, "NetworkPolicy", "flights"), "spec.egress").([]any)
		if len(egress) != 2 || !strings.Contains(fmt.Sprint(egress[1]), want) {
			t.Errorf("to %q: %v, want %s", hub, egress, want)
		}
	}
}

func TestBucket(t *testing.T) {
	for storage, want := range map[string]string{
		"bucket: s3://lake": "map[ports:[map[port:443 protocol:TCP]]]",
		`bucket: s3://lake, endpoint: "http://s3.example.org", secret: keys`:                      "map[ports:[map[port:80 protocol:TCP]]]",
		`bucket: s3://lake, endpoint: "https://s3.example.org:9000"`:                              "map[ports:[map[port:9000 protocol:TCP]]]",
		`bucket: s3://lake, endpoint: "http://minio.lake.svc.cluster.local:80", pathStyle: false`: "map[to:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:lake]]]]]",
	} {
		all := flights(t, "spec:", "spec:\n  storage: {"+storage+"}")
		egress := at(t, find(t, all, "NetworkPolicy", "flights"), "spec.egress").([]any)
		if got := fmt.Sprint(egress[len(egress)-1]); len(egress) != 3 || got != want {
			t.Errorf("%s lets out to %s, want %s", storage, got, want)
		}
		pod := fmt.Sprint(at(t, find(t, all, "StatefulSet", "flights"), "spec.template.spec"))
		secret := "flights-bucket"
		if strings.Contains(storage, "secret") {
			secret = "keys"
		}
		for _, part := range []string{"secretName:" + secret + "]", "mountPath:" + bucketPath, "--bucket-keys " + bucketPath} {
			if !strings.Contains(pod, part) {
				t.Errorf("%s: the pod lacks %s: %s", storage, part, pod)
			}
		}
	}
	if pod := fmt.Sprint(find(t, flights(t), "StatefulSet", "flights")); strings.Contains(pod, "bucket") {
		t.Errorf("without a bucket the pod has %s", pod)
	}
}
