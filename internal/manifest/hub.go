package manifest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

func hubWorkload(o HubOptions) (*workload, error) {
	o.Replicas = cmp.Or(o.Replicas, 1)
	o.CPU, o.Memory, o.StorageSize = cmp.Or(o.CPU, "500m"), cmp.Or(o.Memory, "512Mi"), cmp.Or(o.StorageSize, "10Gi")
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	env, err := environment(o.Memory)
	if err != nil {
		return nil, err
	}
	w := &workload{
		name: product.HubName, namespace: o.Namespace, component: product.ComponentHub,
		labels:   map[string]string{product.LabelPartOf: "mesh"},
		replicas: o.Replicas, image: o.Image, pullPolicy: pullPolicyOr(o.PullPolicy), pullSecrets: o.PullSecrets,
		args: []string{
			"hub", "--data", dataPath + "/hub", "--host", "0.0.0.0",
			"--port", fmt.Sprint(product.ClientPort), "--leaf-port", fmt.Sprint(product.LeafPort),
			"--monitor-port", fmt.Sprint(product.MonitorPort),
		},
		env: env,
		ports: []port{
			{name: "client", number: product.ClientPort, service: product.ClientPort},
			{name: "leaf", number: product.LeafPort, service: product.LeafPort},
			{name: "monitor", number: product.MonitorPort, service: product.MonitorPort},
		},
		// A node of a cluster waits for its peers, so only its own server is asked for.
		startup: probe("/healthz?js-server-only=true", "monitor", 2, 300),
		live:    probe("/healthz?js-enabled-only=true", "monitor", 10, 6),
		ready:   probe("/healthz?js-server-only=true", "monitor", 5, 3),
		cpu:     o.CPU, memory: o.Memory, storageSize: o.StorageSize, storageClass: o.StorageClass,
		ingress: list(map[string]any{"ports": tcp(product.ClientPort, product.LeafPort)}, fromNamespace(product.MonitorPort)),
		egress:  list(names()),
	}
	if o.TLSSecret != "" {
		w.tlsSecret, w.tlsFiles = o.TLSSecret, []string{"tls.crt", "tls.key"}
		w.args = append(w.args, "--tls-cert", tlsPath+"/tls.crt", "--tls-key", tlsPath+"/tls.key")
	}
	if o.Replicas > 1 {
		w.cluster()
	}
	return w, nil
}

func (o HubOptions) check() error {
	if o.Image == "" {
		return fault.New(fault.Invalid, "name one with --image", "no image to run it with")
	}
	if o.Replicas != 1 && o.Replicas != 3 {
		return fault.New(fault.Invalid, "choose 1, or 3 for a cluster that goes on with one node down",
			"%d replicas: a majority of nodes must agree, and more than 3 only make that slower", o.Replicas)
	}
	for what, q := range map[string]string{"storage size": o.StorageSize, "memory": o.Memory} {
		if n, err := product.Quantity(q).Bytes(); err != nil || n <= 0 {
			return fault.New(fault.Invalid, "write it as 10Gi or 512Mi", "%s %q is not a number of bytes above zero", what, q)
		}
	}
	if n, err := product.Quantity(o.CPU).Milli(); err != nil || n <= 0 {
		return fault.New(fault.Invalid, "write it as 500m or 2", "cpu %q is not an amount above zero", o.CPU)
	}
	for _, err := range []error{checkNamespace(o.Namespace), product.CheckImage(o.Image), checkPullPolicy(o.PullPolicy), checkSecret(o.TLSSecret)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// cluster makes the nodes one hub: each knows all of them by name.
func (w *workload) cluster() {
	var routes []string
	for i := range w.replicas {
		routes = append(routes, fmt.Sprintf("nats-route://%s:%d", product.PodHost(w.name, i, w.namespace), product.RoutePort))
	}
	w.args = append(w.args, "--name", "$(POD_NAME)",
		"--cluster-port", fmt.Sprint(product.RoutePort), "--routes", strings.Join(routes, ","))
	w.env = append(w.env, map[string]any{"name": "POD_NAME", "valueFrom": map[string]any{
		"fieldRef": map[string]any{"fieldPath": "metadata.name"},
	}})
	w.ports = append(w.ports, port{name: "route", number: product.RoutePort})
	among := peer(w.namespace, w.name, w.component)
	w.ingress = append(w.ingress, map[string]any{"ports": tcp(product.RoutePort), "from": among})
	w.egress = append(w.egress, map[string]any{"ports": tcp(product.RoutePort), "to": among})
}
