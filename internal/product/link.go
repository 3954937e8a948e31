package product

import (
	"fmt"
	"slices"
)

// What passes between a leaf and the hub, beside a product's records: the subjects that
// credentials are made of. Where a name may be "*", it is to match.

// Service names that no product can bear, beside HubName, which is the hub's.
const UpService = "up_" // of a mesh of one process, which takes products

// EndpointControl is the endpoint at which a call of a product's service is steered.
const EndpointControl = "control"

// The endpoints at which a product and the hub tell of their streams, and change them.
const (
	EndpointAlter      = "alter"
	EndpointStreams    = "streams"
	EndpointStreamPlan = "stream-plan"
	EndpointMessage    = "message"
	EndpointPut        = "put"
	EndpointRestore    = "restore"
	EndpointSnapshot   = "snapshot"
	EndpointSubjects   = "subjects"
)

// EndpointEvents is the endpoint at which a product, and the hub, says what has happened.
const EndpointEvents = "events"

// EndpointVitals is the endpoint at which a product, and the hub, says how it fares.
const EndpointVitals = "vitals"

// SubscribeSubject is where reader asks the product to send a port's records to its mirror.
func SubscribeSubject(product, reader string) string {
	return ServiceSubject(product, "subscribe") + "." + reader
}

// LeafSubject is where a leaf tells another one of the same domain that it is there.
func LeafSubject(product string) string { return ServiceSubject(product, "leaf") }

// DeliverSubjects matches everything that the product sends to reader.
func DeliverSubjects(reader, product string) string {
	return fmt.Sprintf("deliver.%s.%s.>", reader, product)
}

// AnswerSubject is where the product answers what reader's mirror asks, below DeliverSubjects:
// that way it needs no right to send anything else to whoever may ask. No port is called so.
func AnswerSubject(reader, product, call string) string {
	return fmt.Sprintf("deliver.%s.%s.ANSWER.%s", reader, product, call)
}

// InboxSubjects matches whatever is published to the product.
func InboxSubjects(product string) string { return "in.*." + product + ".>" }

// FlowSubjects matches what mirrors say of how far they are to the product's leaf.
func FlowSubjects(product string) string { return "$JS.FC." + product + ".>" }

// FlowSubjects matches what reader's mirror of the port says of how far it is.
func (id PortID) FlowSubjects(reader string) string {
	return fmt.Sprintf("$JS.FC.%s.*.%s.%s.*", id.Product, id.Stream(), reader)
}

// DiscoverySubjects match what asks for NATS micro services of that name, and for all.
func DiscoverySubjects(service string) []string {
	return []string{"$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.*." + service, "$SRV.*." + service + ".*"}
}

// ProductInbox is the prefix of the subjects at which a product's leaf gets answers.
func ProductInbox(product string) string { return "_INBOX.product." + product }

// ClientInbox is the prefix of the subjects at which a client of the hub gets answers.
func ClientInbox(client string) string { return "_INBOX.user." + client }

// BucketKey is where a client of the hub puts a key of one of its buckets.
func BucketKey(bucket, key string) string { return "$KV." + bucket + "." + key }

// BucketGet is where a client of the hub asks for a key of a bucket, with "" for any.
func BucketGet(bucket, key string) string { return bucketGet("$JS.API", bucket, key) }

// CatalogPut is where a product's leaf puts its entry.
func CatalogPut(product string) string {
	return APIPrefix(HubDomain) + "." + BucketKey(CatalogBucket, product)
}

// CatalogGet is where a product's leaf asks for the entry of a product.
func CatalogGet(product string) string {
	return bucketGet(APIPrefix(HubDomain), CatalogBucket, product)
}

func bucketGet(api, bucket, key string) string {
	subject := api + ".DIRECT.GET.KV_" + bucket
	if key != "" {
		subject += "." + BucketKey(bucket, key)
	}
	return subject
}

// Reads are the ports that the product's inputs read.
func (p *Product) Reads() []PortID {
	var ids []PortID
	for _, in := range p.Spec.Inputs {
		if id, err := ParsePort(in.Port); in.Port != "" && err == nil {
			if id.Major = max(id.Major, 1); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
