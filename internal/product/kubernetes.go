package product

import (
	"fmt"
	"strings"
)

// The ports that meshctl's processes listen on in a pod; those of the hub are the ports
// of every nats-server.
const (
	HTTPPort    = 8080 // of a product
	ClientPort  = 4222 // of the hub, as the next three
	LeafPort    = 7422
	MonitorPort = 8222
	RoutePort   = 6222
)

// HubName is the name of the hub's Kubernetes objects.
const HubName = "hub"

// Keys of the labels and annotations that meshctl writes.
const (
	LabelName       = "app.kubernetes.io/name"
	LabelInstance   = "app.kubernetes.io/instance"
	LabelComponent  = "app.kubernetes.io/component"
	LabelPartOf     = "app.kubernetes.io/part-of"
	LabelManagedBy  = "app.kubernetes.io/managed-by"
	LabelVersion    = "app.kubernetes.io/version"
	LabelDomain     = "meshctl.dev/domain"
	AnnotationOwner = "meshctl.dev/owner"
	// AnnotationConfig is the digest of a product's files on its pods, so that a changed
	// file makes new pods.
	AnnotationConfig = "meshctl.dev/config-hash"
)

// The values of the label LabelComponent.
const (
	ComponentProduct = "data-product"
	ComponentHub     = "hub"
)

// ManagedBy is the value of LabelManagedBy, and the field manager of server-side apply.
const ManagedBy = "meshctl"

// DataVolume is the name of a pod's volume and of its claim template.
const DataVolume = "data"

// headlessSuffix ends the name of a headless Service. No product's name ends so, for its
// Service would be another product's headless one.
const headlessSuffix = "-headless"

// HeadlessService is the Service that gives the pods of a product or of the hub their names.
func HeadlessService(name string) string { return name + headlessSuffix }

// bucketSuffix ends the name of the Secret with the credentials of a product's bucket,
// unless the descriptor names another.
const bucketSuffix = "-bucket"

// CredsSecret is the Secret with the credentials of a product or of the hub.
func CredsSecret(name string) string { return name + "-creds" }

// The files of such a Secret.
const (
	CredsKey = "leaf.creds" // of a product
	KeysKey  = "keys.json"  // of the hub: the keys of its mesh
)

// Pod is the name of a StatefulSet's pod.
func Pod(name string, ordinal int) string { return fmt.Sprintf("%s-%d", name, ordinal) }

// PodHost is the DNS name of a StatefulSet's pod.
func PodHost(name string, ordinal int, namespace string) string {
	return fmt.Sprintf("%s.%s", Pod(name, ordinal), ServiceHost(HeadlessService(name), namespace))
}

// VolumeClaim is the name of the claim of a StatefulSet's pod.
func VolumeClaim(name string, ordinal int) string { return DataVolume + "-" + Pod(name, ordinal) }

// ServiceHost is the DNS name of a Service, whatever the cluster's own domain is.
func ServiceHost(service, namespace string) string { return service + "." + namespace + ".svc" }

// HubLeafURL is where products join the hub of a namespace.
func HubLeafURL(namespace string) string {
	return fmt.Sprintf("nats-leaf://%s:%d", ServiceHost(HubName, namespace), LeafPort)
}

// HubClientURL is where clients within the cluster connect to the hub of a namespace.
func HubClientURL(namespace string) string {
	return fmt.Sprintf("nats://%s:%d", ServiceHost(HubName, namespace), ClientPort)
}

// HTTPURL is where a product answers within the cluster.
func HTTPURL(name, namespace string) string { return "http://" + ServiceHost(name, namespace) }

// SelectorLabels tell the pods of a product or of the hub from all others. They never
// change, for Kubernetes would not let them.
func SelectorLabels(name, component string) map[string]string {
	return map[string]string{LabelName: name, LabelInstance: name, LabelComponent: component}
}

// LabelValue is text as the value of a Kubernetes label: what a label cannot hold is "_",
// and it ends after 63 characters.
func LabelValue(text string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (plainTokenByte(byte(r)) || r == '.') {
			return r
		}
		return '_'
	}, text)
	return strings.Trim(safe[:min(len(safe), 63)], "-_.")
}
