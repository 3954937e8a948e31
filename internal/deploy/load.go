package deploy

import (
	"slices"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
)

// Products makes units of products' folders, checked as one mesh; a port of a product
// that is not among them is taken on trust, for it may run in the cluster.
func Products(dirs []string, o manifest.Options) ([]Unit, error) {
	loaded, err := product.ReadSet(dirs, func(product.PortID) bool { return true })
	if err != nil {
		return nil, err
	}
	units := make([]Unit, 0, len(loaded))
	for i := range loaded {
		files, err := manifest.ProductFiles(&loaded[i])
		if err != nil {
			return nil, err
		}
		objects, err := manifest.Product(loaded[i].Product, files, o)
		if err != nil {
			return nil, err
		}
		name := loaded[i].Product.Metadata.Name
		if name == product.HubName {
			return nil, fault.New(fault.Invalid, "choose another name", "a product cannot be called %q", name)
		}
		if slices.ContainsFunc(units, func(u Unit) bool { return u.Name == name }) {
			return nil, fault.New(fault.Invalid, "name each folder once", "product %q is named twice", name)
		}
		units = append(units, Unit{Name: name, Objects: objects})
	}
	return units, nil
}

// Hub makes a unit of the hub.
func Hub(o manifest.HubOptions) (Unit, error) {
	objects, err := manifest.Hub(o)
	return Unit{Name: product.HubName, Objects: objects}, err
}
