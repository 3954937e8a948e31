package olap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// duckError is what DuckDB said, taken apart: "Binder Error: no such column" has
// class "Binder".
type duckError struct {
	class   string
	message string // first paragraph
	hint    string // what DuckDB suggests, if anything
}

// ErrStopped is in the chain of what DuckDB says after it could not write its files: it
// takes nothing any more until the tables are opened again.
var ErrStopped = errors.New("tables have stopped")

// Is says whether the error is ErrStopped.
func (e *duckError) Is(target error) bool {
	return target == ErrStopped && strings.Contains(e.message, "database has been invalidated")
}

func (e *duckError) Error() string {
	if e.class == "" {
		return e.message
	}
	return strings.ToLower(e.class) + " error: " + e.message
}

var (
	classOf     = regexp.MustCompile(`^([A-Z][A-Za-z]*(?: [A-Za-z]+)*?) (?:Error|exception): `)
	excerpt     = regexp.MustCompile(`(?s)\n*LINE (\d+): .*$`)
	didYouMean  = regexp.MustCompile(`(?s)Did you mean (".*?")\?`)
	candidates  = regexp.MustCompile(`(?s)Candidate (?:bindings|functions):\s*(.*)$`)
	transaction = regexp.MustCompile(`no transaction is active`)
)

func newDuckError(msg string) error {
	e := &duckError{}
	if m := classOf.FindStringSubmatch(msg); m != nil {
		e.class, msg = m[1], msg[len(m[0]):]
	}
	line := ""
	if m := excerpt.FindStringSubmatch(msg); m != nil {
		if m[1] != "1" {
			line = " (line " + m[1] + ")"
		}
		msg = msg[:len(msg)-len(m[0])]
	}
	if m := didYouMean.FindStringSubmatch(msg); m != nil {
		e.hint = "did you mean " + m[1] + "?"
		msg = strings.Replace(msg, m[0], "", 1)
	} else if m := candidates.FindStringSubmatch(msg); m != nil {
		e.hint = "use one of " + strings.Join(strings.Fields(m[1]), " ")
		msg = msg[:len(msg)-len(m[0])]
	}
	first, _, _ := strings.Cut(strings.TrimSpace(msg), "\n")
	e.message = strings.TrimSpace(first) + line
	return e
}

func noTransaction(err error) bool {
	return err != nil && transaction.MatchString(err.Error())
}

// interrupted is the context's error in place of DuckDB's word for it.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// refused turns an error about somebody's statement into a fault: what the statement
// is to blame for is Rejected, a deadline is Timeout, the rest stays as it is.
func refused(what string, err error) error {
	var d *duckError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "narrow the statement or allow it more time", "%s: %w", what, err)
	case errors.Is(err, errSeveral):
		return fault.New(fault.Rejected, "send one SELECT at a time", "%s: %w", what, err)
	case !errors.As(err, &d):
		return fmt.Errorf("%s: %w", what, err)
	}
	switch d.class {
	case "IO", "INTERNAL", "Internal", "FATAL", "Fatal", "Serialization", "TransactionContext":
		return blamed(fmt.Errorf("%s: %w", what, err))
	case "Out of Memory":
		return fault.New(fault.Rejected, "narrow the statement, or raise resources.memory in the descriptor", "%s: %w", what, err)
	case "Permission":
		return fault.New(fault.Rejected, "read tables only, no files, settings or extensions", "%s: %w", what, err)
	}
	// A Parquet file that does not hold what was written is an invalid input to DuckDB.
	if found := blamed(fmt.Errorf("%s: %w", what, err)); strings.HasPrefix(d.class, "Invalid") && errors.Is(found, ErrDamaged) {
		return found
	}
	return fault.New(fault.Rejected, d.hint, "%s: %w", what, err)
}
