package deploy

import (
	"errors"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// Products makes units of products as they were read. The first brings the namespace,
// where o asks for it.
func Products(loaded []product.Loaded, o manifest.Options) ([]Unit, error) {
	units := make([]Unit, 0, len(loaded))
	var errs []error
	for i := range loaded {
		name := loaded[i].Product.Metadata.Name
		if name == product.HubName {
			return nil, fault.New(fault.Invalid, "choose another name", "a product cannot be called %q", name)
		}
		files, err := manifest.ProductFiles(&loaded[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		objects, err := manifest.Product(loaded[i].Product, files, o)
		errs = append(errs, err)
		holder := trust.HolderOf(loaded[i].Product)
		units = append(units, Unit{Name: name, Objects: objects, Product: loaded[i].Product, Holder: &holder})
		o.CreateNamespace = false
	}
	return units, errors.Join(errs...)
}

// Hub makes a unit of the hub.
func Hub(o manifest.HubOptions) (Unit, error) {
	objects, err := manifest.Hub(o)
	return Unit{Name: product.HubName, Objects: objects}, err
}
