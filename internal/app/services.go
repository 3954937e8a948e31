package app

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/go-json-experiment/json"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// chunkSize is the least that one piece of a long answer has, but the last.
const chunkSize = 256 << 10

// awaitRequest asks to wait until what was published to an input up to Seq is visible.
type awaitRequest struct {
	Port    string     `json:"port"` // where it becomes visible; "" for the only one
	Input   string     `json:"input"`
	Seq     record.Seq `json:"seq"`
	Session string     `json:"session"` // whose dead letters to count
	// Beyond waits instead until one of these tables, by its name in watermarks, holds more
	// than up to its sequence.
	Beyond map[string]record.Seq `json:"beyond,omitempty"`
}

type awaitAnswer struct {
	Dead uint64 `json:"dead"` // letters of the session that wait
}

// startServing answers over NATS and HTTP.
func (p *Product) startServing(ctx context.Context) error {
	desc := p.descriptor()
	p.admin = mesh.NewMeshAdmin(p.leaf.Conn(), true)
	p.admin.Around = p.whileStopped
	err := p.admin.SpoolIn(p.data.sub("archives"))
	if err != nil {
		return err
	}
	p.service, err = mesh.Serve(p.leaf.Conn(), mesh.ServiceSpec{
		Name: desc.Metadata.Name, Version: desc.Metadata.Version, Description: desc.Metadata.Description,
		Endpoints: withStreams(p.admin, map[string]mesh.Handler{
			product.EndpointStreams:    answerJSON(p.streams),
			product.EndpointStreamPlan: answerJSON(p.planStreams),
			"get":                      p.serveGet, "scan": p.serveScan, "query": p.serveQuery,
			"await": answerJSON(p.await), "entry": answerJSON(p.entryCall),
			"replay": answerJSON(p.Replay), "purge": answerJSON(p.PurgeDead), "rebuild": answerJSON(p.Rebuild),
			"ping":   func(context.Context, []byte, func([]byte) error) ([]byte, error) { return nil, nil },
			"tables": answerJSON(p.tablesIn), "tail": p.serveTail, "letters": p.serveLetters, "session": answerJSON(p.session),
			product.EndpointObject: p.serveObject, product.EndpointObjects: p.serveObjects, product.EndpointObjectPut: p.serveObjectPut,
			product.EndpointObjectCommit: answerJSON(p.commitObject), product.EndpointObjectRemove: answerJSON(p.removeObjects),
			product.EndpointVitals: answerJSON(p.vitals), product.EndpointEvents: serveEvents(p.events, p.started, p.ending),
		}),
		ByReader: p.serveSubscribe,
	})
	if err != nil || p.o.HTTP == "" {
		return err
	}
	p.http, err = serve.Listen(ctx, p.o.HTTP, serve.NewHandler(p, serve.Options{
		Logger: p.log, Version: p.o.Version, LoopbackOnly: serve.IsLoopback(p.o.HTTP),
		Ready: func(context.Context) error { return p.Ready() },
		Metrics: func(w io.Writer) error {
			v, err := p.Vitals(p.steps.ctx, true)
			if err != nil {
				return err
			}
			serve.WriteVitals(w, &v)
			return p.queries.stats.Write(w)
		},
	}))
	return err
}

func (p *Product) entryCall(ctx context.Context, _ struct{}) (any, error) { return p.Entry(ctx) }

func (p *Product) serveGet(ctx context.Context, req []byte, _ func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[serve.GetRequest](req)
	if err != nil {
		return nil, err
	}
	a, err := p.Get(ctx, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// serveScan answers with records as NDJSON, in pieces, and the ScanAnswer at last.
func (p *Product) serveScan(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[serve.ScanRequest](req)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	a, err := p.Scan(ctx, q, func(r serve.Record) error {
		if err := json.MarshalWrite(&buf, r); err != nil {
			return err
		}
		buf.WriteByte('\n')
		return sendFull(&buf, send)
	})
	if err != nil {
		return nil, err
	}
	if buf.Len() > 0 {
		if err := send(buf.Bytes()); err != nil {
			return nil, err
		}
	}
	return json.Marshal(a)
}

// serveQuery answers with an Arrow IPC stream, in pieces, and the QueryAnswer at last.
func (p *Product) serveQuery(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[serve.QueryRequest](req)
	if err != nil {
		return nil, err
	}
	q.Caller = mesh.Caller(ctx)
	if q.Held != nil {
		a, err := p.stillHeld(ctx, q)
		if err != nil {
			return nil, err
		}
		return json.Marshal(a)
	}
	var buf bytes.Buffer
	var w *ipc.Writer
	g := gathered{emit: func(b arrow.RecordBatch) error {
		if err := w.Write(b); err != nil {
			return err
		}
		return sendFull(&buf, send)
	}}
	defer g.release()
	a, err := p.Query(ctx, q, func(s *arrow.Schema) error {
		w = ipc.NewWriter(&buf, ipc.WithSchema(s))
		return nil
	}, g.add)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(g.flush(), w.Close()); err != nil {
		return nil, err
	}
	if err := send(buf.Bytes()); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// sendFull sends what is in buf once it is worth a message.
func sendFull(buf *bytes.Buffer, send func([]byte) error) error {
	if buf.Len() < chunkSize {
		return nil
	}
	defer buf.Reset()
	return send(buf.Bytes())
}

// await waits until everything published to an input up to a sequence is visible.
func (p *Product) await(ctx context.Context, q awaitRequest) (awaitAnswer, error) {
	if len(q.Beyond) > 0 {
		return awaitAnswer{}, p.awaitMove(ctx, q.Beyond)
	}
	pt, err := p.port(q.Port)
	if err != nil {
		return awaitAnswer{}, err
	}
	if err := pt.progress.Await(ctx, q.Input, q.Seq); err != nil {
		return awaitAnswer{}, err
	}
	counts, err := mesh.SubjectCounts(ctx, p.leaf.Conn(), "", product.DeadStream, pt.id.DeadSubject(q.Session))
	if err != nil {
		return awaitAnswer{}, err
	}
	var a awaitAnswer
	for _, n := range counts {
		a.Dead += n
	}
	return a, nil
}

// Ready says why the product does not work, nil when it does.
func (p *Product) Ready() error {
	if err := p.leaf.Err(); err != nil {
		return err
	}
	for _, pt := range p.sortedPorts() {
		if err := pt.faults.err(); err != nil {
			return err
		}
	}
	return nil
}
