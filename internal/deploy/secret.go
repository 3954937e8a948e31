package deploy

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// HubKeys are the keys of the mesh whose hub was deployed to the cluster's namespace;
// nil when there is none, or somebody who may not know them asks.
func HubKeys(ctx context.Context, c *kube.Cluster) (*trust.Keys, error) {
	obj, err := c.Get(ctx, secretRef(product.HubName, c.Namespace))
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Denied:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := secretData(obj, product.KeysKey)
	if err != nil || data == nil {
		return nil, err
	}
	return trust.ParseKeys(data)
}

func secretRef(unit, namespace string) kube.Ref {
	return kube.Ref{Kind: "Secret", Name: product.CredsSecret(unit), Namespace: namespace}
}

func secretData(obj kube.Object, key string) ([]byte, error) {
	text := kube.Text(obj, "data", key)
	if text == "" {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "delete it, and it is made again", "read %s: %w", kube.RefOf(obj), err)
	}
	return data, nil
}

// Secret is the Secret of a product or of the hub, with one file in it; without a
// namespace it goes to whichever it is applied in.
func Secret(unit, namespace string, labels map[string]any, key string, content []byte) kube.Object {
	meta := map[string]any{"name": product.CredsSecret(unit), "labels": labels}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	return kube.Object{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta,
		"data": map[string]any{key: base64.StdEncoding.EncodeToString(content)},
	}
}

// credentials plans the unit's Secret: the keys of a mesh for the hub, for a product what
// it joins that mesh with. One that serves its purpose stays as it is. Its content is no
// part of the plan that is shown.
func (s *survey) credentials(ctx context.Context, u *Unit) ([]Step, error) {
	hub := u.Name == product.HubName && len(u.Objects) > 0
	if !hub && (u.Holder == nil || s.keys == nil) {
		return nil, nil
	}
	step := Step{Unit: u.Name, Object: secretRef(u.Name, s.cluster.Namespace), Action: Create}
	var live kube.Object
	if !s.missing {
		var err error
		live, err = s.cluster.Get(ctx, step.Object)
		switch fault.KindOf(err) {
		case fault.Denied: // somebody else looks after secrets
			return nil, nil
		case fault.NotFound:
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	serves, err := s.serves(u, live)
	if err != nil {
		return nil, err
	}
	if serves {
		step.Action = Unchanged
		return []Step{step}, nil
	}
	if live != nil {
		step.Action, step.Class, step.Reason = Change, InPlace, "the product reads other ports, or joins another mesh"
	}
	key, content, err := s.secret(u)
	if err != nil {
		return nil, err
	}
	step.want = Secret(u.Name, s.cluster.Namespace, u.labels(), key, content)
	return []Step{step}, nil
}

// serves says whether the unit can work with its Secret as it is.
func (s *survey) serves(u *Unit, live kube.Object) (bool, error) {
	if u.Holder == nil {
		data, err := secretData(live, product.KeysKey)
		return data != nil, err // the keys of a mesh are made once
	}
	data, err := secretData(live, product.CredsKey)
	if err != nil || data == nil {
		return false, err
	}
	c, err := trust.ParseCreds(data)
	return err == nil && c.Account == s.keys.MeshAccount() && c.For(*u.Holder), nil
}

// secret makes what the unit's Secret is to hold.
func (s *survey) secret(u *Unit) (key string, content []byte, err error) {
	if u.Holder == nil {
		keys, err := trust.NewKeys()
		if err != nil {
			return "", nil, err
		}
		content, err = keys.Bytes()
		return product.KeysKey, content, err
	}
	c, err := s.keys.Issue(*u.Holder, time.Time{})
	if err != nil {
		return "", nil, err
	}
	content, err = c.File()
	return product.CredsKey, content, err
}

// labels are those of the unit's objects.
func (u *Unit) labels() map[string]any {
	for _, o := range u.Objects {
		if o.Kind() == "ServiceAccount" {
			labels, _ := kube.Field(kube.Object(o), "metadata", "labels").(map[string]any)
			return labels
		}
	}
	return nil
}
