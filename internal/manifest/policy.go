package manifest

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// networkPolicy lets in and out what the workload's rules name, and nothing else.
func (w *workload) networkPolicy() Object {
	return w.object("networking.k8s.io/v1", "NetworkPolicy", w.name, map[string]any{"spec": map[string]any{
		"podSelector": map[string]any{"matchLabels": w.selector()},
		"policyTypes": list("Ingress", "Egress"),
		"ingress":     w.ingress,
		"egress":      w.egress,
	}})
}

// tcp are ports of a rule.
func tcp(ports ...int64) []any {
	var all []any
	for _, p := range ports {
		all = append(all, map[string]any{"protocol": "TCP", "port": p})
	}
	return all
}

// names lets out questions for names. It does not say whom they go to: that differs
// from cluster to cluster, and a cache may stand on each node.
func names() map[string]any {
	return map[string]any{"ports": list(
		map[string]any{"protocol": "UDP", "port": int64(53)},
		map[string]any{"protocol": "TCP", "port": int64(53)},
	)}
}

// peer is the workload of another name, in a namespace.
func peer(namespace, name, component string) []any {
	return list(map[string]any{
		"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": namespace}},
		"podSelector":       map[string]any{"matchLabels": texts(product.SelectorLabels(name, component))},
	})
}

// toHub lets a leaf out to the hub: to its pods where the URL names the Service of a
// hub in this cluster, else to the URL's port wherever that leads.
func toHub(hub string) (map[string]any, error) {
	u, err := url.Parse(hub)
	if err != nil || u.Hostname() == "" {
		return nil, fault.New(fault.Invalid, "write it as nats-leaf://host:port", "hub address %q is not a URL", hub)
	}
	port := int64(product.LeafPort)
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return nil, fault.New(fault.Invalid, "write a port from 1 to 65535", "hub address %q: no such port", hub)
		}
		port = int64(n)
	}
	host := strings.TrimSuffix(strings.TrimSuffix(u.Hostname(), "."), ".cluster.local")
	labels := strings.Split(host, ".")
	if len(labels) == 3 && labels[0] == product.HubName && labels[2] == "svc" {
		return map[string]any{"ports": tcp(port), "to": peer(labels[1], product.HubName, product.ComponentHub)}, nil
	}
	return map[string]any{"ports": tcp(port)}, nil
}
