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

// fromNamespace lets in, from the pods of the namespace alone, where nobody is asked who
// they are. A further policy lets others in too.
func fromNamespace(port int64) map[string]any {
	return map[string]any{"ports": tcp(port), "from": list(map[string]any{"podSelector": map[string]any{}})}
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
		"namespaceSelector": inNamespace(namespace),
		"podSelector":       map[string]any{"matchLabels": texts(product.SelectorLabels(name, component))},
	})
}

// toBucket lets a product out to its bucket: to every port of a namespace where the endpoint
// is a Service of this cluster, since a policy counts ports of pods and not of Services, else to
// the endpoint's port wherever that leads.
func toBucket(s product.Storage) (map[string]any, error) {
	if s.Endpoint == "" {
		return map[string]any{"ports": tcp(443)}, nil
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return nil, fault.New(fault.Invalid, "write it as https://host or https://host:port", "the bucket's endpoint %q is not a URL", s.Endpoint)
	}
	if namespace, ok := serviceNamespace(u.Hostname()); ok {
		return map[string]any{"to": list(map[string]any{"namespaceSelector": inNamespace(namespace)})}, nil
	}
	port := int64(443)
	if u.Scheme == "http" {
		port = 80
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return nil, fault.New(fault.Invalid, "write a port from 1 to 65535", "the bucket's endpoint %q: no such port", s.Endpoint)
		}
		port = int64(n)
	}
	return map[string]any{"ports": tcp(port)}, nil
}

// serviceNamespace is the namespace of a Service, if host is one of this cluster.
func serviceNamespace(host string) (string, bool) {
	host = strings.TrimSuffix(strings.TrimSuffix(host, "."), ".cluster.local")
	labels := strings.Split(host, ".")
	if len(labels) != 3 || labels[2] != "svc" {
		return "", false
	}
	return labels[1], true
}

func inNamespace(name string) map[string]any {
	return map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": name}}
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
	if namespace, ok := serviceNamespace(u.Hostname()); ok && strings.HasPrefix(u.Hostname(), product.HubName+".") {
		return map[string]any{"ports": tcp(port), "to": peer(namespace, product.HubName, product.ComponentHub)}, nil
	}
	return map[string]any{"ports": tcp(port)}, nil
}
