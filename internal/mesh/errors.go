package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
)

// Error codes of the JetStream API that mean something to meshctl.
const (
	codeStreamNotFound    = 10059
	codeStreamNameInUse   = 10058
	codeSubjectOverlap    = 10065
	codeWrongLastSequence = 10071
	codeWrongLastConstant = 10164
	codeNotEnabled        = 10076
	codeStoreFailed       = 10077
	codeNotEnabledAccount = 10039
)

// connFault gives an error of the connection its kind. who was asked, in words that go
// after "reach".
func connFault(err error, who string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrNoResponders):
		return fault.New(fault.Unavailable, "start it, and check that its leaf has joined the hub",
			"reach %s: nobody answers", who)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("reach %s: %w", who, err)
	case errors.Is(err, nats.ErrTimeout):
		return fault.New(fault.Timeout, "", "reach %s: %w", who, err)
	case isDenied(err):
		return fault.New(fault.Denied, "ask the mesh's operator for the right", "reach %s: %w", who, err)
	case isGone(err):
		return fault.New(fault.Unavailable, "try again when the connection is back", "reach %s: %w", who, err)
	default:
		return fmt.Errorf("reach %s: %w", who, err)
	}
}

// askTimeout bounds a request whose caller does not: one that is under way when the
// link breaks is never answered.
const askTimeout = 10 * time.Second

// request asks, and waits for an answer as long as ctx allows, but not for ever.
func request(ctx context.Context, nc *Conn, m *nats.Msg, who string) (*nats.Msg, error) {
	answer, err := nc.request(ctx, m, askTimeout)
	if err != nil {
		return nil, askFault(ctx, err, who)
	}
	return answer, nil
}

// askFault is connFault where the deadline may be our own rather than ctx's.
func askFault(ctx context.Context, err error, who string) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fault.New(fault.Unavailable, "check the connection between leaf and hub, and try again",
			"reach %s: no answer came", who)
	}
	return connFault(err, who)
}

func isDenied(err error) bool {
	for _, e := range []error{
		nats.ErrAuthorization, nats.ErrPermissionViolation, nats.ErrAuthExpired,
		nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func isGone(err error) bool {
	for _, e := range []error{
		nats.ErrConnectionClosed, nats.ErrConnectionDraining, nats.ErrConnectionReconnecting,
		nats.ErrDisconnected, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection, nats.ErrNoServers,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// apiFault gives an error answer of the JetStream API its kind.
func apiFault(e *api.ApiError) error {
	switch e.ErrCode {
	case codeStreamNotFound:
		return fault.New(fault.NotFound, "", "%w", *e)
	case codeStreamNameInUse, codeSubjectOverlap, codeWrongLastSequence, codeWrongLastConstant:
		return fault.New(fault.Conflict, "", "%w", *e)
	case codeNotEnabled, codeNotEnabledAccount:
		return fault.New(fault.Unavailable, "", "%w", *e)
	}
	switch {
	case full(e):
		return fault.New(fault.Rejected, "remove what is not needed any more, or raise the port's retention.bytes", "%w", *e)
	case e.Code == 404:
		return fault.New(fault.NotFound, "", "%w", *e)
	case e.Code == 503:
		return fault.New(fault.Unavailable, "", "%w", *e)
	default:
		return *e
	}
}

// full says whether a stream that drops nothing has no room for a message.
func full(e *api.ApiError) bool {
	return e.ErrCode == codeStoreFailed && strings.Contains(e.Description, "maximum bytes exceeded")
}

// domainName is a JetStream domain in words.
func domainName(domain string) string {
	if domain == "" {
		return "the local domain"
	}
	return "domain " + domain
}

// productOf is the product that a service or inbox subject belongs to.
func productOf(subject string) string {
	tokens := strings.Split(subject, ".")
	at := 1
	if slices.Contains([]string{"in", "dead", "again"}, tokens[0]) {
		at = 2
	}
	if len(tokens) <= at {
		return subject
	}
	return tokens[at]
}

// notRunning is the fault of a subject that nobody answers.
func notRunning(subject string) error {
	p := productOf(subject)
	return fault.New(fault.Unavailable, "start it with meshctl run, or list what is there with meshctl catalog list",
		"product %s is not running, or has not joined the mesh", p)
}
