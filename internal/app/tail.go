package app

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Tailed is one record of a log as it is shown.
type Tailed struct {
	Seq     record.Seq      `json:"seq"`
	Time    time.Time       `json:"time"`
	Key     string          `json:"key,omitempty"`
	Value   json.RawMessage `json:"value"` // null for a delete
	Deleted bool            `json:"deleted,omitempty"`
}

// TailOptions say where a tail begins and whether it ends.
type TailOptions struct {
	From   record.Seq `json:"from,omitempty"`   // first sequence; 0 for Last
	Since  time.Time  `json:"since,omitzero"`   // or the first record stored at or after this
	Last   int        `json:"last,omitempty"`   // or the newest so many
	Follow bool       `json:"follow,omitempty"` // go on when the end is reached
	Limit  int        `json:"limit,omitempty"`  // most records; 0 is all
}

// tailRequest asks for records of a port's log. The answer's first line is empty: it
// says that the rest comes.
type tailRequest struct {
	Port string `json:"port"`
	TailOptions
}

// tailLine is a record on its way: Bytes are its value as it is stored, to the byte.
type tailLine struct {
	Tailed
	Bytes []byte `json:"bytes"`
}

// tailRetry is the pause before a product that was lost is asked again.
const tailRetry = 200 * time.Millisecond

// Tail gives the records of a port's log to emit, in order. One that follows goes on
// when its product has been away.
func (c *Client) Tail(ctx context.Context, address string, o TailOptions, emit func(Tailed) error) error {
	id, _, err := c.Port(ctx, address)
	if err != nil {
		return err
	}
	for begun, given := false, 0; ; {
		_, err := callLines(ctx, c, id.Product, "tail", tailRequest{portName(id), o}, func(t tailLine) error {
			if begun = true; t.Seq == 0 {
				return nil
			}
			if given++; !t.Deleted {
				t.Value = t.Bytes
			}
			o.From, o.Since, o.Last = t.Seq+1, time.Time{}, 0
			return emit(t.Tailed)
		})
		if err != nil && c.nc.IsClosed() && ctx.Err() == nil {
			return mesh.Ended(c.nc)
		}
		if !begun || !o.Follow || given == o.Limit && given > 0 || fault.KindOf(err) != fault.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tailRetry):
		}
	}
}

// serveTail answers with records of a log as NDJSON, in pieces.
func (p *Product) serveTail(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[tailRequest](req)
	if err != nil {
		return nil, err
	}
	pt, err := p.port(q.Port)
	if err != nil {
		return nil, err
	}
	if err := send([]byte("{}\n")); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.ending, func() {
		cancel(fault.New(fault.Unavailable, "try again when it is back", "product %s is stopping", p.Name()))
	})()
	err = p.tail(ctx, pt.id, q.TailOptions, send)
	if why := context.Cause(ctx); why != nil {
		err = why
	}
	return nil, err
}

func (p *Product) tail(ctx context.Context, id product.PortID, o TailOptions, send func([]byte) error) error {
	nc, stream := p.leaf.Conn(), id.Stream()
	state, err := mesh.State(ctx, nc, "", stream)
	if err != nil {
		return err
	}
	after := record.Seq(0)
	switch {
	case !o.Since.IsZero():
		first, err := mesh.SeqAt(ctx, nc, "", stream, o.Since)
		if err != nil {
			return err
		}
		after = max(first, 1) - 1
	case o.From > 0:
		after = o.From - 1
	case o.Last > 0:
		after = state.Last - min(state.Last, record.Seq(o.Last))
	}
	if !o.Follow && (state.Msgs == 0 || after >= state.Last) {
		return nil
	}
	r, err := mesh.NewReader(ctx, nc, "", stream, after, "")
	if err != nil {
		return err
	}
	defer r.Close()
	for given := 0; ; {
		msgs, err := r.Next(ctx, 1000, chunkSize, 0, 0)
		if err != nil {
			return err
		}
		var lines bytes.Buffer
		done := false
		for i := 0; i < len(msgs) && !done; i++ {
			if !o.Follow && msgs[i].Seq > state.Last {
				done = true
				break
			}
			given++
			line := tailLine{Tailed: tailed(id, msgs[i])}
			line.Value, line.Bytes = nil, line.Value
			if err := json.NewEncoder(&lines).Encode(line); err != nil {
				return err
			}
			done = !o.Follow && msgs[i].Seq >= state.Last || given == o.Limit // given is never 0 here
		}
		if err := send(lines.Bytes()); err != nil || done {
			return err
		}
	}
}

func tailed(id product.PortID, m mesh.Message) Tailed {
	t := Tailed{Seq: m.Seq, Time: m.Time, Value: m.Data}
	if m.Header.Get(product.HeaderDelete) != "" {
		t.Deleted, t.Value = true, nil
	}
	if !json.Valid(t.Value) && !t.Deleted {
		quoted, _ := json.Marshal(string(m.Data)) // a string always marshals
		t.Value = quoted
	}
	var texts []string
	if kept := m.Header.Get(product.HeaderKey); kept != "" {
		if json.Unmarshal([]byte(kept), &texts) == nil {
			t.Key = record.JoinTexts(texts)
		}
	} else if tokens := strings.TrimPrefix(m.Subject, id.Subject()+"."); tokens != m.Subject {
		if texts, err := product.ParseKeyTokens(tokens); err == nil {
			t.Key = record.JoinTexts(texts)
		}
	}
	return t
}
