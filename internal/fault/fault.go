// Package fault is the error with a kind and a hint. An error becomes a fault
// where its cause is known; it is mapped once at each edge: to an exit code by
// the command line, to a status by HTTP and to a code by NATS services.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is.
type Kind int

// The kinds, each with the exit code that the command line gives it.
const (
	Internal    Kind = iota // exit 1: a defect or an unexpected failure
	Rejected                // exit 1: a clear no, such as a rejected query or a found difference
	Invalid                 // exit 2: wrong usage, descriptor or configuration
	NotFound                // exit 2: a named thing does not exist
	Conflict                // exit 2: a thing exists already, is locked, or changed meanwhile
	Unavailable             // exit 3: cannot be reached
	Denied                  // exit 3: may not
	Timeout                 // exit 4
)

var kindNames = [...]string{"internal", "rejected", "invalid", "not-found", "conflict", "unavailable", "denied", "timeout"}

// String is the kind's name as it travels in answers, such as "not-found".
func (k Kind) String() string { return kindNames[k] }

// ParseKind is the inverse of String; an unknown name is Internal.
func ParseKind(s string) Kind {
	for k, name := range kindNames {
		if name == s {
			return Kind(k)
		}
	}
	return Internal
}

// Error is an error with a kind and a hint.
type Error struct {
	Kind Kind
	Hint string // one imperative sentence, such as "run meshctl up first"; may be empty
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind with a hint; format and args are those of fmt.Errorf.
func New(kind Kind, hint, format string, args ...any) error {
	return &Error{Kind: kind, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// KindOf is the kind of the outermost fault in err's chain. A deadline is a
// Timeout wherever it was met; any other error is Internal.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	return Internal
}

// HintOf is the first hint that is not empty in err's chain.
func HintOf(err error) string {
	for err != nil {
		var f *Error
		if !errors.As(err, &f) {
			return ""
		}
		if f.Hint != "" {
			return f.Hint
		}
		err = f.Err
	}
	return ""
}
