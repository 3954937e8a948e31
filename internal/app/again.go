package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Replay gives dead letters to what refused them once more, and removes the letters: a
// published record to its inbox, what came from another product to the logic's same
// input, what the logic made and the contract refused to the contract. A letter whose
// replay was interrupted is not taken twice: its session bears its number, and a stream
// takes only the first message of that session.
func (p *Product) Replay(ctx context.Context, q DeadRequest) (DeadAnswer, error) {
	var a DeadAnswer
	pt, err := p.port(q.Port)
	if err != nil {
		return a, err
	}
	err = p.eachLetter(ctx, pt, q, &a, func(m mesh.Message) error {
		to, err := pt.again(m)
		if err != nil {
			return err
		}
		_, err = mesh.PublishExpect(ctx, p.leaf.Conn(), to.subject, to.data, to.header, 0)
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return err
		}
		return p.removeLetter(ctx, m.Seq)
	})
	return a, err
}

// againSession is the session that takes a dead letter again.
func againSession(letter record.Seq) string {
	return pipeline.ImportSession + "replay-" + strconv.FormatUint(uint64(letter), 10)
}

// takenAgain is the dead letter that the session of a subject takes again, if it is such.
func takenAgain(subject string) (record.Seq, bool) {
	session := subject[strings.LastIndexByte(subject, '.')+1:]
	number, ok := strings.CutPrefix(session, pipeline.ImportSession+"replay-")
	seq, err := strconv.ParseUint(number, 10, 64)
	return record.Seq(seq), ok && err == nil
}

// againMessage is a dead letter on its way back.
type againMessage struct {
	subject string
	header  map[string]string
	data    []byte
}

// again is the message that gives a letter to what refused it.
func (pt *port) again(m mesh.Message) (againMessage, error) {
	desc, origin, session := pt.p.descriptor(), m.Header.Get(product.HeaderOrigin), againSession(m.Seq)
	stream, _, _ := strings.Cut(origin, ":")
	logic := desc.Spec.Logic
	switch {
	case pt.out.Type == product.Object:
		return againMessage{}, fault.New(fault.Invalid, "put the file again, and purge the letter", "it is what was known of a file")
	case logic == nil && !strings.HasPrefix(stream, "from-"):
		return againMessage{subject: pt.id.InboxSubject(session), data: m.Data}, nil
	case logic == nil:
	case pt.drive == nil:
		return againMessage{}, fault.New(fault.Invalid, "purge the letter",
			"it is of port %s, which the logic writes no more", pt.id)
	case strings.Count(origin, ":") == 2 && stream == "logic" && drives(logic, ""):
		return pt.backToLogic("", session, m)
	default:
		for _, in := range desc.Spec.Inputs {
			if !drives(logic, in.Name) || in.Name != m.Header.Get(product.HeaderInput) && streamOf(desc, in) != stream {
				continue
			}
			if in.Port == "" {
				return againMessage{subject: desc.ID(in.Name).InboxSubject(session), data: m.Data}, nil
			}
			return pt.backToLogic(in.Name, session, m)
		}
	}
	if logic != nil && logic.SQL != nil && logic.SQL.Mode == product.ModeTable {
		return againMessage{}, fault.New(fault.Invalid, "correct the statement or the contract, then purge the letter",
			"it is a row of SQL in table mode, which makes it again by itself as soon as it fits")
	}
	return againMessage{}, fault.New(fault.Invalid, "correct the record at its source, or the logic, and purge the letter",
		"it came from %s, which is not an input that drives the logic", stream)
}

// drives says whether records that come in at an input drive the logic one by one; for
// "", whether any input's do.
func drives(l *product.Logic, input string) bool {
	return l.SQL == nil || l.SQL.Mode != product.ModeTable && (input == "" || input == l.SQL.Over)
}

// streamOf is the stream that an input's records are read from.
func streamOf(desc *product.Product, in product.Input) string {
	if in.Port == "" {
		return desc.ID(in.Name).InboxStream()
	}
	id, err := product.ParsePort(in.Port)
	if err != nil { // a descriptor that was read has been validated
		return ""
	}
	id.Major = max(id.Major, 1)
	return id.MirrorStream()
}

// backToLogic makes the message that the logic reads as a record of that input, or as
// one that it made itself.
func (pt *port) backToLogic(input, session string, m mesh.Message) (againMessage, error) {
	again := againMessage{
		subject: pt.id.AgainSubject(input, session), data: m.Data,
		header: map[string]string{product.HeaderOrigin: m.Header.Get(product.HeaderOrigin)},
	}
	if texts, ok := pipeline.DeletedKey(m.Data); ok {
		key, err := json.Marshal(texts)
		if err != nil {
			return again, fmt.Errorf("write the key of a delete: %w", err)
		}
		again.data = nil
		again.header[product.HeaderDelete], again.header[product.HeaderKey] = "1", string(key)
	}
	return again, nil
}

// openAgain makes the stream of the dead letters that the logic takes again.
func (p *Product) openAgain(ctx context.Context, desc *product.Product) error {
	return mesh.EnsureStream(ctx, p.leaf.Conn(), mesh.StreamSpec{
		Name: product.AgainStream, Subjects: []string{desc.AgainSubjects()},
		Metadata: map[string]string{catalog.MetaProduct: desc.Metadata.Name},
	})
}

// againInputs are the dead letters of the logic's inputs that it takes again, and of
// what it made. An inbox takes its own.
func (pt *port) againInputs(inputs []*input, limit int) []pipeline.LogicInput {
	nc := pt.p.leaf.Conn()
	again := func(input, of string) pipeline.LogicInput {
		return pipeline.LogicInput{
			Name: of + ".again", Again: of, Stream: product.AgainStream, Limit: limit,
			Source: openSubject(nc, product.AgainStream, pt.id.AgainSubject(input, "*")),
			Trim:   trimInbox(nc, product.AgainStream),
		}
	}
	made := again("", "made")
	made.Name, made.Transform = ".again", pipeline.Made{}
	all := []pipeline.LogicInput{made}
	for _, in := range inputs {
		if in.spec.Port != "" {
			all = append(all, again(in.spec.Name, in.spec.Name))
		}
	}
	return all
}
