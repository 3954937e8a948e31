package app

import (
	"context"
	"errors"
	"io"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

func (pt *port) keyed() (*kv.Store, error) {
	if pt.kv == nil {
		return nil, fault.New(fault.Invalid, "declare a key in its descriptor, or use meshctl query",
			"port %s has no key, so records cannot be got by key", pt.id)
	}
	return pt.kv, nil
}

// Get is the latest record of each key.
func (p *Product) Get(ctx context.Context, r serve.GetRequest) (serve.GetAnswer, error) {
	a := serve.GetAnswer{Records: []serve.Record{}, Missing: []string{}}
	pt, err := p.port(r.Port)
	if err != nil {
		return a, err
	}
	store, err := pt.keyed()
	if err != nil {
		return a, err
	}
	for _, text := range r.Keys {
		key, err := pt.contract.ParseKey(text)
		if err != nil {
			return a, fault.New(fault.Invalid, "", "key %q of %s: %w", text, pt.id, err)
		}
		rec, ok, err := store.Get(ctx, key)
		if err != nil {
			return a, err
		}
		if !ok {
			a.Missing = append(a.Missing, text)
			continue
		}
		a.Records = append(a.Records, answer(rec))
		a.Watermark.Seq = max(a.Watermark.Seq, rec.Seq) // its commit may not have told its position yet
	}
	at, err := store.Position(ctx)
	a.Watermark.Seq = max(a.Watermark.Seq, at)
	return a, err
}

func answer(r record.Record) serve.Record {
	return serve.Record{Key: r.Key.String(), Seq: r.Seq, Time: r.Time, Value: r.Value}
}

// Scan gives the latest records of a range of keys to emit, in key order.
func (p *Product) Scan(ctx context.Context, r serve.ScanRequest, emit func(serve.Record) error) (serve.ScanAnswer, error) {
	var a serve.ScanAnswer
	pt, err := p.port(r.Port)
	if err != nil {
		return a, err
	}
	store, err := pt.keyed()
	if err != nil {
		return a, err
	}
	keys, err := pt.keyRange(r)
	if err != nil {
		return a, err
	}
	if a.Watermark.Seq, err = store.Position(ctx); err != nil {
		return a, err
	}
	err = store.Scan(ctx, keys, func(rec record.Record) error {
		if r.Limit > 0 && a.Count == r.Limit {
			a.More = true
			return io.EOF
		}
		a.Count++
		return emit(answer(rec))
	})
	if errors.Is(err, io.EOF) && a.More {
		err = nil
	}
	return a, err
}

func (pt *port) keyRange(r serve.ScanRequest) (kv.Range, error) {
	keys := kv.Range{Reverse: r.Reverse}
	for _, part := range []struct {
		text string
		into *record.Key
	}{{r.From, &keys.From}, {r.To, &keys.To}, {r.Prefix, &keys.Prefix}} {
		if part.text == "" {
			continue
		}
		key, err := pt.contract.ParsePrefix(part.text)
		if err != nil {
			return keys, fault.New(fault.Invalid, "", "key %q of %s: %w", part.text, pt.id, err)
		}
		*part.into = key
	}
	return keys, nil
}
