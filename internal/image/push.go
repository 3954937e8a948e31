package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/meshctl/meshctl/internal/fault"
)

// registryOptions log in as "docker login" or "podman login" left it.
func registryOptions(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("meshctl"),
	}
}

// Push sends the image to a registry. Layers that are there already are not sent, and the
// name is set last, so that an interrupted push changes no name and goes on when repeated.
func (i *Image) Push(ctx context.Context, to Ref) error {
	updates := make(chan v1.Update, 16)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for u := range updates {
			if u.Error == nil {
				i.tell("push "+to.String(), u.Complete, u.Total)
			}
		}
	}()
	err := remote.Write(to.tag, i.Image, append(registryOptions(ctx), remote.WithProgress(updates))...)
	<-told // Write closes the channel
	if err != nil {
		return fmt.Errorf("push image: %w", registryFault(to.tag, err))
	}
	return nil
}

// registryFault says what went wrong at a registry.
func registryFault(ref name.Reference, err error) error {
	var answer *transport.Error
	var network net.Error
	registry := ref.Context().RegistryStr()
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fault.New(fault.Denied, "log in with docker login "+registry+", or ask for the right to it", "%w", err)
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return fault.New(fault.NotFound, "look for a slip in the name", "%w", err)
	case errors.As(err, &answer) && answer.StatusCode >= 500:
		return fault.New(fault.Unavailable, "try again later", "%w", err)
	case errors.As(err, &network):
		return fault.New(fault.Unavailable, "check the registry's name and that it can be reached from here", "%w", err)
	}
	return err
}
