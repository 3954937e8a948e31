package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

const flight = `{"flight":"DL%04d","carrier":"DL","origin":"ATL","destination":"MSP","departure":"2026-03-14T15:09:26Z",` +
	`"delay":-7,"distance":907.25,"cancelled":false,"tail":"N927DA","day":"2026-03-14","gate":null}`

func flights(b *testing.B) *contract.Contract {
	c, err := contract.New(&product.Output{Name: "flights", Type: product.Event, Key: []string{"flight", "departure"}, Schema: []product.Column{
		{Name: "flight", LogicalType: "string"}, {Name: "carrier", LogicalType: "string"}, {Name: "origin", LogicalType: "string"},
		{Name: "destination", LogicalType: "string"}, {Name: "departure", LogicalType: "timestamp"}, {Name: "delay", LogicalType: "integer"},
		{Name: "distance", LogicalType: "number"}, {Name: "cancelled", LogicalType: "boolean"}, {Name: "tail", LogicalType: "string"},
		{Name: "day", LogicalType: "date"}, {Name: "gate", LogicalType: "string"},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// sink is a log that holds nothing.
type sink struct{ last record.Seq }

func (s *sink) Append(_ context.Context, msgs []Outgoing) (record.Seq, error) {
	s.last += record.Seq(len(msgs))
	return s.last, nil
}

func (s *sink) Last(context.Context) (record.Seq, string, error) { return 0, "", nil }

// BenchmarkDoor is the door's own work on a record: check, subject, position.
func BenchmarkDoor(b *testing.B) {
	c := flights(b)
	for _, perMessage := range []int{1, 1000} {
		var body []string
		for i := range perMessage {
			body = append(body, fmt.Sprintf(flight, i))
		}
		msg := Message{Seq: 1, Subject: "in.x", Header: header{product.HeaderRows: "1"}, Data: []byte(strings.Join(body, "\n"))}
		b.Run(fmt.Sprintf("records=%d", perMessage), func(b *testing.B) {
			d := Door{Port: port, Contract: c, Log: &sink{}, Dead: &sink{}, Progress: NewProgress()}
			run := doorRun{Door: &d, encoder: newEncoder(port, c)}
			run.trimmer.last = run.trimmer.last.AddDate(3000, 0, 0) // never due
			b.ReportAllocs()
			for n := 0; n < b.N; n += perMessage {
				msg.Seq++
				if err := run.take(b.Context(), []Message{msg}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode is the materialiser's reading half: typed columns and a key of a record.
func BenchmarkDecode(b *testing.B) {
	c := flights(b)
	msgs := make([]Message, 10_000)
	for i := range msgs {
		msgs[i] = Message{Seq: record.Seq(i + 1), Header: header{product.HeaderPosition: "1:1"}, Data: fmt.Appendf(nil, flight, i)}
	}
	m := Materialiser{Port: port, Contract: c, Logger: quiet}
	reader := newRowReader(c)
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(msgs) {
		d, err := m.decode(reader, msgs)
		if err != nil || len(d.batch.Records) != len(msgs) {
			b.Fatal(len(d.batch.Records), err)
		}
		d.batch.Columns.Release()
	}
}
