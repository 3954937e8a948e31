package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

func asLetter(id product.PortID, m mesh.Message) serve.Letter {
	l := serve.Letter{
		Seq: m.Seq, Port: id.String(), Time: m.Time,
		Source: strings.TrimPrefix(m.Subject, id.DeadSubject("")),
		Origin: m.Header.Get(product.HeaderOrigin), Reason: m.Header.Get(product.HeaderReason),
		Value: string(m.Data),
	}
	if !utf8.Valid(m.Data) {
		l.Value, l.Bytes = strings.ToValidUTF8(l.Value, "\uFFFD"), m.Data
	}
	return l
}

// DeadRequest names dead letters of a port: those with the sequences, or all.
type DeadRequest struct {
	Port string       `json:"port"`
	Seqs []record.Seq `json:"seqs,omitempty"`
	All  bool         `json:"all,omitempty"`
}

// DeadAnswer says what became of them.
type DeadAnswer struct {
	Count   int          `json:"count"`             // replayed or purged
	Missing []record.Seq `json:"missing,omitempty"` // no such letter
	Kept    []KeptLetter `json:"kept,omitempty"`    // cannot be replayed
}

// KeptLetter is a dead letter that cannot be replayed, and so waits on.
type KeptLetter struct {
	Seq    record.Seq `json:"seq"`
	Reason string     `json:"reason"`
	Hint   string     `json:"hint"`
}

// PurgeDead removes dead letters for good.
func (p *Product) PurgeDead(ctx context.Context, q DeadRequest) (DeadAnswer, error) {
	var a DeadAnswer
	pt, err := p.port(q.Port)
	if err != nil {
		return a, err
	}
	err = p.eachLetter(ctx, pt, q, &a, func(m mesh.Message) error { return p.removeLetter(ctx, m.Seq) })
	return a, err
}

func (p *Product) removeLetter(ctx context.Context, seq record.Seq) error {
	return mesh.DeleteMessage(ctx, p.leaf.Conn(), product.DeadStream, seq)
}

// eachLetter calls do for each letter that q names. What was there when it began is what counts.
func (p *Product) eachLetter(ctx context.Context, pt *port, q DeadRequest, a *DeadAnswer, do func(mesh.Message) error) error {
	if !q.All && len(q.Seqs) == 0 {
		return fault.New(fault.Invalid, "name letters by number, or use --all", "no dead letter was named")
	}
	p.deadMu.Lock()
	defer p.deadMu.Unlock()
	for _, source := range []string{pipelineSource, pipeline.LogSource} {
		if err := pt.deadLog(source).holdFloor(ctx); err != nil {
			return err
		}
	}
	letters, err := deadLetters(ctx, p.leaf.Conn(), pt.id)
	if err != nil {
		return err
	}
	bySeq := map[record.Seq]mesh.Message{}
	for _, m := range letters {
		bySeq[m.Seq] = m
		if q.All {
			q.Seqs = append(q.Seqs, m.Seq)
		}
	}
	for _, seq := range q.Seqs {
		m, ok := bySeq[seq]
		if !ok {
			a.Missing = append(a.Missing, seq)
			continue
		}
		err := do(m)
		var why *fault.Error
		switch {
		case err == nil:
			a.Count++
		case errors.As(err, &why) && why.Kind == fault.Invalid:
			a.Kept = append(a.Kept, KeptLetter{seq, why.Error(), why.Hint})
		default:
			return fmt.Errorf("dead letter %d: %w", seq, err)
		}
	}
	return nil
}

// lettersRequest asks for the dead letters of a port.
type lettersRequest struct {
	Port string `json:"port"`
}

// serveLetters answers with letters as NDJSON, in pieces.
func (p *Product) serveLetters(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[lettersRequest](req)
	if err != nil {
		return nil, err
	}
	pt, err := p.port(q.Port)
	if err != nil {
		return nil, err
	}
	msgs, err := deadLetters(ctx, p.leaf.Conn(), pt.id)
	if err != nil {
		return nil, err
	}
	for _, m := range msgs {
		line, err := json.Marshal(asLetter(pt.id, m))
		if err != nil {
			return nil, err
		}
		if err := send(append(line, '\n')); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// deadLetters are the letters of a port that wait now, oldest first.
func deadLetters(ctx context.Context, nc *mesh.Conn, id product.PortID) ([]mesh.Message, error) {
	last, ok, err := mesh.LastMessage(ctx, nc, "", product.DeadStream, id.DeadSubject(">"))
	if err != nil || !ok {
		return nil, err
	}
	r, err := mesh.NewReader(ctx, nc, "", product.DeadStream, 0, id.DeadSubject(">"))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var letters []mesh.Message
	for {
		msgs, err := r.Next(ctx, 1000, readBytes, 0, 0)
		if err != nil {
			return nil, err
		}
		for _, m := range msgs {
			if m.Seq > last.Seq {
				return letters, nil
			}
			letters = append(letters, m)
		}
		if len(letters) > 0 && letters[len(letters)-1].Seq == last.Seq {
			return letters, nil
		}
	}
}
