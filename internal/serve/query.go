package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// mediaSQL is a body that is the statement itself.
const mediaSQL = "application/sql"

// slowBody is how long a client may take to send a body.
const slowBody = 30 * time.Second

func (h *handler) queryByURL(c *call) error {
	r := QueryRequest{SQL: c.param("sql")}
	if text := c.param("args"); text != "" {
		if err := decode([]byte(text), &r.Args); err != nil {
			return fault.New(fault.Invalid, `use a JSON object, such as {"name": 1}`, "parameter args: %w", err)
		}
	}
	return h.query(c, r)
}

func (h *handler) queryByBody(c *call) error {
	r, err := c.readQuery()
	if err != nil {
		return err
	}
	return h.query(c, r)
}

func (h *handler) queryPort(c *call) error {
	if _, err := findPort(c.context(), h.product, c.path["port"]); err != nil {
		return err
	}
	return h.queryByBody(c)
}

func (h *handler) query(c *call, r QueryRequest) error {
	if r.SQL == "" {
		return fault.New(fault.Invalid, "give a SELECT in sql", "there is no statement")
	}
	var err error
	if r.Args, err = numbers(r.Args); err != nil {
		return err
	}
	if r.Limit, err = c.limit(r.Limit); err != nil {
		return err
	}
	if r.Limit < 0 {
		return fault.New(fault.Invalid, "use 0 for all", "limit is %d", r.Limit)
	}
	if r.TimeoutMillis < 0 {
		return fault.New(fault.Invalid, "use 0 for as long as the product allows", "timeoutMillis is %d", r.TimeoutMillis)
	}
	r.Caller = "http " + c.r.RemoteAddr
	media, err := c.negotiate(rowAnswers())
	if err != nil {
		return err
	}
	if media == mediaJSON {
		return h.queryWhole(c, r)
	}
	return h.queryRows(c, r, media)
}

// readQuery reads the body. Only media types that a foreign web page cannot send
// without asking first are taken.
func (c *call) readQuery() (QueryRequest, error) {
	const hint = "send Content-Type: application/json with {\"sql\": …}, or application/sql with the statement"
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON && media != mediaSQL {
		return QueryRequest{}, refuse(http.StatusUnsupportedMediaType, hint, "cannot read a body of type %q", c.r.Header.Get("Content-Type"))
	}
	text, err := c.readBody()
	if err != nil {
		return QueryRequest{}, err
	}
	if media == mediaSQL {
		return QueryRequest{SQL: string(text)}, nil
	}
	var r QueryRequest
	if err := decode(text, &r); err != nil {
		return QueryRequest{}, fault.New(fault.Invalid, hint, "read body: %w", err)
	}
	return r, nil
}

// readBody reads a body within its bounds of size and time.
func (c *call) readBody() ([]byte, error) {
	rc := http.NewResponseController(c.w)
	if err := rc.SetReadDeadline(time.Now().Add(slowBody)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("read body: %w", err)
	}
	text, err := io.ReadAll(c.r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "the body is larger than %d bytes", tooLarge.Limit)
	case err != nil:
		return nil, fault.New(fault.Invalid, "", "read body: %w", err)
	}
	if err := rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return text, nil
}

// decode reads exactly one JSON value, its numbers as written.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the JSON value")
	}
	return nil
}

// numbers makes each json.Number an int64 where it is one, else a float64.
func numbers(args map[string]any) (map[string]any, error) {
	if args == nil {
		return nil, nil
	}
	out := make(map[string]any, len(args))
	for name, v := range args {
		v, err := number(v)
		if err != nil {
			return nil, fault.New(fault.Invalid, "", "argument %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func number(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case map[string]any:
		return numbers(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = number(v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}
