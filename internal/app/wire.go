package app

import (
	"bytes"
	"context"
	"fmt"

	// The successor of encoding/json: reading a request or an answer takes a third of
	// the time, and a get is little more than that.
	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// asWire is how values travel that the library has no form of its own for.
var asWire = jsonv1.FormatDurationAsNano(true)

// call asks one product one thing.
func call[A any](ctx context.Context, c *Client, service, endpoint string, request any) (A, error) {
	return callBy[A](ctx, c, mesh.Call, service, endpoint, request)
}

// callBy is call by mesh.Call or mesh.Ask.
func callBy[A any](ctx context.Context, c *Client, by func(context.Context, *mesh.Conn, string, []byte) ([]byte, error), service, endpoint string, request any) (A, error) {
	var a A
	req, err := json.Marshal(request, asWire)
	if err != nil {
		return a, err
	}
	answer, err := by(ctx, c.nc, product.ServiceSubject(service, endpoint), req)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(answer, &a, asWire)
}

// callLines asks one product for lines of JSON, which it gives to emit.
func callLines[T any](ctx context.Context, c *Client, service, endpoint string, request any, emit func(T) error) (final []byte, err error) {
	req, err := json.Marshal(request, asWire)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	return mesh.CallStream(ctx, c.nc, product.ServiceSubject(service, endpoint), req, func(chunk []byte) error {
		buf.Write(chunk)
		for {
			i := bytes.IndexByte(buf.Bytes(), '\n')
			if i < 0 {
				return nil
			}
			var one T
			if err := json.Unmarshal(buf.Next(i+1), &one, asWire); err != nil {
				return fmt.Errorf("read an answer of %s: %w", service, err)
			}
			if err := emit(one); err != nil {
				return err
			}
		}
	})
}

// answerJSON is a handler that takes and gives one JSON value.
func answerJSON[Q, A any](f func(context.Context, Q) (A, error)) mesh.Handler {
	return func(ctx context.Context, req []byte, _ func([]byte) error) ([]byte, error) {
		q, err := decodeRequest[Q](req)
		if err != nil {
			return nil, err
		}
		a, err := f(ctx, q)
		if err != nil {
			return nil, err
		}
		return json.Marshal(a, asWire)
	}
}

func decodeRequest[Q any](req []byte) (Q, error) {
	var q Q
	if err := json.Unmarshal(req, &q, asWire); err != nil {
		return q, fault.New(fault.Invalid, "send the request as JSON", "read the request: %w", err)
	}
	return q, nil
}
