package manifest

import (
	"cmp"
	"fmt"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// productWorkload is a product's, but for its files.
func productWorkload(p *product.Product, o Options) (*workload, error) {
	m, s := p.Metadata, p.Spec
	image := cmp.Or(s.Image, o.Image)
	if image == "" {
		return nil, fault.New(fault.Invalid, "name one with --image, or as spec.image in the descriptor", "product %s: no image to run it with", m.Name)
	}
	for _, err := range []error{checkNamespace(o.Namespace), product.CheckImage(image), checkPullPolicy(o.PullPolicy), checkSecret(o.TLSSecret)} {
		if err != nil {
			return nil, fmt.Errorf("product %s: %w", m.Name, err)
		}
	}
	env, err := environment(string(s.Resources.Memory))
	if err != nil {
		return nil, fmt.Errorf("product %s: memory: %w", m.Name, err)
	}
	hub := cmp.Or(o.Hub, product.HubLeafURL(o.Namespace))
	out, err := toHub(hub)
	if err != nil {
		return nil, err
	}
	args := []string{
		"run", folderPath, "--data", dataPath + "/product", "--hub", hub,
		"--http", fmt.Sprintf(":%d", product.HTTPPort),
		"--http-url", product.HTTPURL(m.Name, o.Namespace),
	}
	if o.TLSSecret != "" {
		args = append(args, "--tls-ca", tlsPath+"/ca.crt")
	}
	w := &workload{
		name: m.Name, namespace: o.Namespace, component: product.ComponentProduct,
		labels: map[string]string{
			product.LabelVersion: product.LabelValue(m.Version),
			product.LabelPartOf:  m.Domain, product.LabelDomain: m.Domain,
		},
		replicas: 1, image: image, pullPolicy: pullPolicyOr(o.PullPolicy), pullSecrets: o.PullSecrets,
		args: args, env: env, tlsSecret: o.TLSSecret, tlsFiles: []string{"ca.crt"},
		ports: []port{{name: "http", number: product.HTTPPort, service: 80}},
		// A log of many gigabytes takes a while to open. Neither probe asks for the hub:
		// a leaf serves alone.
		startup: probe("/healthz", "http", 2, 300),
		live:    probe("/healthz", "http", 10, 6),
		ready:   probe("/readyz", "http", 5, 3),
		cpu:     string(s.Resources.CPU), memory: string(s.Resources.Memory),
		storageSize: string(s.Storage.Size), storageClass: s.Storage.Class,
		ingress: list(fromNamespace(product.HTTPPort)),
		egress:  list(names(), out),
	}
	if s.Storage.Bucket == "" {
		return w, nil
	}
	w.bucketSecret = s.Storage.Secret
	w.args = append(w.args, "--bucket-keys", bucketPath)
	out, err = toBucket(s.Storage)
	w.egress = append(w.egress, out)
	return w, err
}
