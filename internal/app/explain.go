package app

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// Step is one thing that was done to answer a statement.
type Step struct {
	What    string  `json:"step"`              // plan, sample, fetch, answer; check of what is kept
	Product string  `json:"product,omitempty"` // that did it; "" for the asking process
	Port    string  `json:"port,omitempty"`
	SQL     string  `json:"sql,omitempty"` // what it was asked
	Keys    int64   `json:"keys"`          // that were sent to choose rows by
	Rows    int64   `json:"rows"`
	Bytes   int64   `json:"bytes"` // over the mesh, both ways
	Start   float64 `json:"start"` // milliseconds after the statement was given
	Millis  float64 `json:"millis"`
}

// Explanation says how a statement was answered.
type Explanation struct {
	SQL        string                      `json:"sql"`
	Steps      []Step                      `json:"steps"`
	Rows       int64                       `json:"rows"`
	Bytes      int64                       `json:"bytes"`
	Millis     float64                     `json:"millis"`
	Watermarks map[string]record.Watermark `json:"watermarks"`
	Plan       string                      `json:"plan"` // of the last step, as DuckDB draws it
}

// Explain answers a statement, drops the answer, and says how it was done.
func (c *Client) Explain(ctx context.Context, r serve.QueryRequest) (e Explanation, err error) {
	e.SQL = r.SQL
	a, err := c.Query(ctx, r)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for {
		b, err := a.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return e, err
		}
		b.Release()
	}
	f, err := a.Finish()
	if err != nil {
		return e, err
	}
	e.Rows, e.Millis, e.Watermarks, e.Steps = f.Rows, f.Millis, f.Watermarks, a.steps()
	for _, s := range e.Steps {
		e.Bytes += s.Bytes
	}
	e.Plan, err = a.plan(ctx)
	return e, err
}

// planned is the plan that an EXPLAIN answers with.
func planned(ctx context.Context, a *Answer) (plan string, err error) {
	defer func() { err = errors.Join(err, a.Close()) }()
	var text strings.Builder
	for {
		b, err := a.Next(ctx)
		if errors.Is(err, io.EOF) {
			return text.String(), nil
		}
		if err != nil {
			return "", err
		}
		last := b.Column(int(b.NumCols()) - 1)
		for i := range last.Len() {
			text.WriteString(last.ValueStr(i))
		}
		b.Release()
	}
}

// since is how long ago that was, in milliseconds.
func since(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }
