package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/meshctl/meshctl/internal/fault"
)

// Forward opens a port of this machine's loopback that leads to a port of a pod, through
// the API server, and returns its address. close ends it and waits for its end.
func (c *Cluster) Forward(ctx context.Context, pod string, port int) (address string, closeIt func(), err error) {
	client, err := c.core()
	if err != nil {
		return "", nil, fmt.Errorf("reach %s: %w", pod, err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return "", nil, fmt.Errorf("reach %s: %w", pod, err)
	}
	to := client.Post().Namespace(c.Namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, to)
	stop, ready := make(chan struct{}), make(chan struct{})
	f, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, fmt.Errorf("reach %s: %w", pod, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.ForwardPorts() }()
	end := func() {
		close(stop)
		<-ended
	}
	select {
	case <-ready:
	case err := <-ended:
		return "", nil, fault.New(fault.Unavailable, "look whether the pod runs with meshctl status", "reach port %d of %s: %w", port, pod, err)
	case <-ctx.Done():
		end()
		return "", nil, fmt.Errorf("reach port %d of %s: %w", port, pod, ctx.Err())
	}
	ports, err := f.GetPorts()
	if err != nil || len(ports) != 1 {
		end()
		return "", nil, fmt.Errorf("reach port %d of %s: %w", port, pod, err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), end, nil
}
