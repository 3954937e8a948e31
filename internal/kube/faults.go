package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshctl/meshctl/internal/fault"
)

// Conflict is a field that another manager set, to another value than meshctl would.
type Conflict struct {
	Field   string `json:"field"`
	Manager string `json:"manager"` // who set it, such as "kubectl-edit"
}

// ConflictError says that an apply was refused because others manage some of its
// fields. It comes as a fault of kind Conflict.
type ConflictError struct{ Conflicts []Conflict }

func (e *ConflictError) Error() string {
	texts := make([]string, len(e.Conflicts))
	for i, c := range e.Conflicts {
		texts[i] = fmt.Sprintf("%s is managed by %s", c.Field, c.Manager)
	}
	return strings.Join(texts, ", ")
}

// failure is err as a fault; what was tried comes before it.
func (c *Cluster) failure(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	make := func(k fault.Kind, hint string) error { return fault.New(k, hint, "%s: %w", what, short(err)) }
	var network net.Error
	var address *url.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", what, err)
	case apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
		return fault.New(fault.Conflict, "agree with who set them, or take them over with --force-conflicts", "%s: %w", what, &ConflictError{conflictsOf(err)})
	case apierrors.IsUnauthorized(err):
		return make(fault.Denied, "log in to the cluster again, or name another context with --kube-context")
	case apierrors.IsForbidden(err):
		return make(fault.Denied, "ask the cluster's administrator, or change what it refuses")
	case apierrors.IsNotFound(err):
		return make(fault.NotFound, "")
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return make(fault.Conflict, "run the command again: it changed meanwhile")
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return make(fault.Invalid, "")
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err):
		return make(fault.Unavailable, "try again when the cluster is less busy")
	case errors.As(err, &address), errors.As(err, &network):
		return fault.New(fault.Unavailable, "look whether the cluster runs and --kube-context names the right one", "%s: reach %s: %w", what, c, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// short is what the API server said, without naming the object a second time.
func short(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	s := status.Status()
	if s.Details == nil || len(s.Details.Causes) == 0 || s.Reason != metav1.StatusReasonInvalid {
		return err
	}
	var texts []string
	for _, cause := range s.Details.Causes {
		texts = append(texts, strings.TrimPrefix(cause.Field+": "+cause.Message, ": "))
	}
	return errors.New(strings.Join(texts, "; "))
}

var conflictWith = regexp.MustCompile(`conflict with "([^"]+)"`)

func conflictsOf(err error) []Conflict {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var all []Conflict
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := cause.Message
		if m := conflictWith.FindStringSubmatch(cause.Message); m != nil {
			manager = m[1]
		}
		all = append(all, Conflict{Field: strings.TrimPrefix(cause.Field, "."), Manager: manager})
	}
	return all
}
