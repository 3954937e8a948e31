package kube

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// LogOptions choose what of a container's log is read.
type LogOptions struct {
	Container  string // empty for the only one
	Follow     bool
	Previous   bool          // of the container before the last restart
	Since      time.Duration // 0 for all
	Tail       int           // last lines; negative for all
	Timestamps bool
}

// Logs opens the log of a pod's container; the caller closes it. It ends when ctx does.
func (c *Cluster) Logs(ctx context.Context, pod string, o LogOptions) (io.ReadCloser, error) {
	client, err := c.core()
	if err != nil {
		return nil, fmt.Errorf("read log of %s: %w", pod, err)
	}
	r := client.Get().Namespace(c.Namespace).Resource("pods").Name(pod).SubResource("log")
	if o.Container != "" {
		r = r.Param("container", o.Container)
	}
	if o.Tail >= 0 {
		r = r.Param("tailLines", strconv.Itoa(o.Tail))
	}
	if o.Since > 0 {
		r = r.Param("sinceSeconds", strconv.Itoa(max(1, int(o.Since.Seconds()))))
	}
	r = r.Param("follow", strconv.FormatBool(o.Follow)).Param("previous", strconv.FormatBool(o.Previous)).
		Param("timestamps", strconv.FormatBool(o.Timestamps))
	stream, err := r.Stream(ctx)
	return stream, c.failure(err, "read log of %s", pod)
}

// core is a client of the core group, for what the dynamic client does not offer.
func (c *Cluster) core() (*rest.RESTClient, error) {
	config := rest.CopyConfig(c.config)
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	config.APIPath = "/api"
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, *config.GroupVersion) // so that refusals can be read
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientFor(config)
}
