package trust

import (
	"slices"

	"github.com/nats-io/jwt/v2"

	"github.com/meshctl/meshctl/internal/product"
)

// Role is what kind of rights a credential has.
type Role string

// The roles.
const (
	Product  Role = "product"
	ReadOnly Role = "read-only" // a person, or a program: browses and reads
	Admin    Role = "admin"     // publishes, looks after products, and gives out credentials too
)

// PeopleRoles are those of people and programs that are no products.
func PeopleRoles() []string { return []string{string(ReadOnly), string(Admin)} }

// Holder is who a credential is for.
//
// What it reaches depends on nobody else: a product's credential lets it ask for the
// ports that its inputs read, under its own name, and take what comes for it. Whether
// anything comes is up to the product that has the port, which goes by the grants in its
// own descriptor. It can take the name of who asks from the subject, for no other
// credential may publish there.
type Holder struct {
	Name  string           `json:"name"`
	Role  Role             `json:"role"`
	Reads []product.PortID `json:"reads,omitempty"` // by a product's inputs
}

// HolderOf is a product as the holder of its credential.
func HolderOf(p *product.Product) Holder { return Holder{p.Metadata.Name, Product, p.Reads()} }

// Inbox is the prefix of the subjects that answers to the holder arrive at.
func (h Holder) Inbox() string {
	if h.Role == Product {
		return product.ProductInbox(h.Name)
	}
	return product.ClientInbox(h.Name)
}

// What a person may ask of every product.
var (
	readEndpoints = []string{
		product.EndpointControl, "await", "entry", "get", "letters", "ping", "query", "scan", "tables", "tail",
		product.EndpointStreams, product.EndpointStreamPlan, product.EndpointMessage, product.EndpointSubjects,
		product.EndpointVitals, product.EndpointEvents, product.EndpointObject, product.EndpointObjects,
	}
	careEndpoints = []string{
		product.EndpointAlter, product.EndpointPut, product.EndpointRestore, product.EndpointSnapshot,
		product.EndpointObjectCommit, product.EndpointObjectPut, product.EndpointObjectRemove,
		"purge", "rebuild", "replay", "session",
	}
)

// rights are the holder's, and how it may connect.
func (h Holder) rights() jwt.UserPermissionLimits {
	var may jwt.UserPermissionLimits
	may.AllowedConnectionTypes = []string{jwt.ConnectionTypeStandard}
	if h.Role == Product {
		may.AllowedConnectionTypes = []string{jwt.ConnectionTypeLeafnode}
		may.Pub.Allow, may.Sub.Allow = h.linkSubjects()
		return may
	}
	may.Sub.Allow.Add(h.Inbox()+".>", product.BucketKey(product.CatalogBucket, ">")) // what is put there, as it is put
	may.Pub.Allow.Add(product.BucketGet(product.CatalogBucket, ""))
	may.Pub.Allow.Add(product.DiscoverySubjects("*")...)
	endpoints := readEndpoints
	if h.Role == Admin {
		endpoints = slices.Concat(readEndpoints, careEndpoints)
		may.Pub.Allow.Add(product.InboxSubjects("*"))
		for _, service := range []string{product.HubName, product.UpService} {
			may.Pub.Allow.Add(product.ServiceSubject(service, "*"))
		}
	}
	for _, endpoint := range endpoints {
		may.Pub.Allow.Add(product.ServiceSubject("*", endpoint))
	}
	return may
}

// linkSubjects are those that a product's leaf and the hub exchange, both ways.
func (h Holder) linkSubjects() (publish, subscribe jwt.StringList) {
	name := h.Name
	publish.Add(
		product.DeliverSubjects("*", name),
		product.ClientInbox("*")+".>",
		h.Inbox()+".>", product.LeafSubject(name), // another leaf of that name is asked
		product.CatalogPut(name), product.CatalogGet(name),
		product.ServiceSubject(product.HubName, "present"),
	)
	for _, id := range h.Reads {
		publish.Add(
			product.SubscribeSubject(id.Product, name), product.ServiceSubject(id.Product, product.EndpointControl),
			id.FlowSubjects(name), id.Files().FlowSubjects(name), product.CatalogGet(id.Product),
		)
	}
	subscribe.Add(
		product.ServiceSubject(name, ">"), product.InboxSubjects(name), product.FlowSubjects(name),
		product.DeliverSubjects(name, "*"), h.Inbox()+".>",
	)
	subscribe.Add(product.DiscoverySubjects(name)...)
	return publish, subscribe
}
