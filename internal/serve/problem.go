package serve

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/meshctl/meshctl/internal/fault"
)

const mediaProblem = "application/problem+json"

// Problem is the body of every answer that is not a success (RFC 9457), with the
// fault's kind and hint.
type Problem struct {
	Type   string `json:"type" doc:"Always about:blank; kind tells problems apart."`
	Title  string `json:"title" doc:"The status in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail" doc:"What went wrong."`
	Hint   string `json:"hint,omitempty" doc:"What to do about it."`
	Kind   string `json:"kind" doc:"The sort of failure: invalid, not-found, conflict, rejected, denied, unavailable, timeout or internal."`
}

// refusal is an error of HTTP's own, with a status that no kind has.
type refusal struct {
	status int
	error
}

func (r *refusal) Unwrap() error { return r.error }

func refuse(status int, hint, format string, args ...any) error {
	return &refusal{status: status, error: fault.New(fault.Invalid, hint, format, args...)}
}

// statusOf is the status that err is answered with.
func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return statusOfKind(fault.KindOf(err))
}

func statusOfKind(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Rejected:
		return http.StatusUnprocessableEntity
	case fault.Denied:
		return http.StatusForbidden
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Timeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

func newProblem(err error) Problem {
	status := statusOf(err)
	return Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: err.Error(), Hint: fault.HintOf(err), Kind: fault.KindOf(err).String(),
	}
}

// WriteProblem answers a request with err.
func WriteProblem(w http.ResponseWriter, err error) {
	p := newProblem(err)
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	w.Header().Set("Content-Type", mediaProblem)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // who does not listen is not told
}
