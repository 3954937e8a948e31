package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// encodeRecord checks one record as it is published and makes the log's message of it.
// The error is the dead letter's reason. The decoder is only used to check.
func encodeRecord(port product.PortID, c *contract.Contract, d *contract.Decoder, value []byte) (Outgoing, error) {
	if bytes.HasPrefix(value, deletePrefix) {
		texts, err := parseDelete(value, len(c.KeyColumns()))
		if err != nil {
			return Outgoing{}, err
		}
		return encodeDelete(port, c, texts)
	}
	key, err := d.Append(value)
	if err != nil {
		return Outgoing{}, err
	}
	out := Outgoing{Data: value}
	if out.Subject, err = port.RecordSubject(key); err != nil {
		return Outgoing{}, err
	}
	return out, nil
}

func encodeDelete(port product.PortID, c *contract.Contract, texts []string) (Outgoing, error) {
	if !c.Keyed() {
		return Outgoing{}, errors.New("a delete needs a port with a key")
	}
	if !c.State() {
		return Outgoing{}, errors.New("a delete needs a state port: an event port is append-only")
	}
	key, err := c.KeyFromTexts(texts)
	if err != nil {
		return Outgoing{}, err
	}
	subject, err := port.RecordSubject(key)
	if err != nil {
		return Outgoing{}, err
	}
	keyJSON, err := json.Marshal(texts)
	if err != nil {
		return Outgoing{}, err
	}
	return Outgoing{Subject: subject, Header: [][2]string{
		{product.HeaderDelete, "1"}, {product.HeaderKey, string(keyJSON)},
	}}, nil
}

var deletePrefix = []byte(`{"$delete"`)

// parseDelete reads {"$delete": KEY}: KEY is the key as a person writes it, or the
// array of its texts.
func parseDelete(value []byte, keyParts int) ([]string, error) {
	var d struct {
		Delete json.RawMessage `json:"$delete"`
	}
	if err := json.Unmarshal(value, &d); err != nil {
		return nil, fmt.Errorf("read a delete: %w", err)
	}
	var texts []string
	if err := json.Unmarshal(d.Delete, &texts); err == nil {
		return texts, nil
	}
	var text string
	if err := json.Unmarshal(d.Delete, &text); err != nil {
		return nil, errors.New(`a delete is {"$delete": "KEY"} or {"$delete": ["PART", "PART"]}`)
	}
	return record.SplitTexts(text, keyParts)
}

// DeleteLine is the line that deletes a key when it is published, the inverse of what the door reads.
func DeleteLine(texts []string) ([]byte, error) {
	return json.Marshal(struct {
		Delete []string `json:"$delete"`
	}{texts})
}

// decodeRecord reads one message of a log: its key and, through the decoder, its
// columns, of which it adds one row. The error says why it is no record of the contract.
func decodeRecord(c *contract.Contract, d *contract.Decoder, m Message) (record.Record, error) {
	rec := record.Record{Seq: m.Seq, Time: m.Time, Value: m.Data}
	if m.header(product.HeaderDelete) == "" {
		key, err := d.Append(m.Data)
		rec.Key = key
		return rec, err
	}
	var texts []string
	if err := json.NewDecoder(strings.NewReader(m.header(product.HeaderKey))).Decode(&texts); err != nil {
		return rec, fmt.Errorf("read the key of a delete: %w", err)
	}
	key, err := c.KeyFromTexts(texts)
	if err != nil {
		return rec, err
	}
	rec.Key, rec.Deleted, rec.Value = key, true, nil
	return rec, d.AppendDelete(key)
}
