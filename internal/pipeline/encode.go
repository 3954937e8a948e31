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

// encoder makes messages of a port's log of records as they are published. It checks
// them with a decoder whose rows nobody needs.
type encoder struct {
	subject  string // of the port
	contract *contract.Contract
	decoder  *contract.Decoder
	rowBytes int
	scratch  []byte
}

func newEncoder(port product.PortID, c *contract.Contract) *encoder {
	return &encoder{subject: port.Subject(), contract: c, decoder: c.NewDecoder()}
}

// encode checks one record, or the line that deletes one, and makes its message. The
// error is the dead letter's reason.
func (e *encoder) encode(value []byte) (Outgoing, error) {
	if controlField(value) == "$delete" {
		if err := e.deletable(); err != nil {
			return Outgoing{}, err
		}
		texts, err := parseDelete(value, len(e.contract.KeyColumns()))
		if err != nil {
			return Outgoing{}, err
		}
		return e.encodeDelete(texts)
	}
	if len(value) > maxRecord {
		return Outgoing{}, fmt.Errorf("a record of %d bytes is more than the %d that one may have", len(value), maxRecord)
	}
	if e.rowBytes += len(value); e.rowBytes > 1<<20 {
		e.decoder.Reset()
		e.rowBytes = len(value)
	}
	key, err := e.decoder.Append(value)
	if err != nil {
		return Outgoing{}, err
	}
	return e.message(key, value, false)
}

func (e *encoder) deletable() error {
	switch {
	case !e.contract.Keyed():
		return errors.New("a delete needs a port with a key")
	case !e.contract.State():
		return errors.New("a delete needs a state port: an event port is append-only")
	}
	return nil
}

// encodeDelete makes the message that deletes a key.
func (e *encoder) encodeDelete(texts []string) (Outgoing, error) {
	if err := e.deletable(); err != nil {
		return Outgoing{}, err
	}
	key, err := e.contract.KeyFromTexts(texts)
	if err != nil {
		return Outgoing{}, err
	}
	return e.message(key, nil, true)
}

func (e *encoder) message(key record.Key, value []byte, deleted bool) (Outgoing, error) {
	out := Outgoing{Data: value}
	if key == nil {
		out.Subject = e.subject
		return out, nil
	}
	if err := checkKey(key); err != nil {
		return out, err
	}
	var err error
	e.scratch, err = product.AppendKeyTokens(append(append(e.scratch[:0], e.subject...), '.'), key)
	if err != nil {
		return out, err
	}
	out.Subject = string(e.scratch)
	if !deleted && !strings.HasPrefix(out.Subject[len(e.subject):], ".=~") {
		return out, nil
	}
	texts, err := key.Texts()
	if err != nil {
		return out, err
	}
	text, err := json.Marshal(texts)
	if err != nil {
		return out, err
	}
	if deleted {
		out.Header = append(out.Header, [2]string{product.HeaderDelete, "1"})
	}
	out.Header = append(out.Header, [2]string{product.HeaderKey, string(text)})
	return out, nil
}

// controlField is the name of the first field of a JSON object if it begins with "$".
func controlField(line []byte) string {
	line, ok := bytes.CutPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte{'{'})
	if !ok {
		return ""
	}
	if line, ok = bytes.CutPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte(`"$`)); !ok {
		return ""
	}
	name, _, _ := bytes.Cut(line, []byte{'"'})
	return "$" + string(name)
}

// parseDelete reads {"$delete": KEY}: KEY is the key as a person writes it, or the
// array of its parts. A part may be a string, a number or a boolean.
func parseDelete(value []byte, keyParts int) ([]string, error) {
	var d struct {
		Delete json.RawMessage `json:"$delete"`
	}
	if err := json.Unmarshal(value, &d); err != nil {
		return nil, fmt.Errorf("read a delete: %w", err)
	}
	var parts []json.RawMessage
	if json.Unmarshal(d.Delete, &parts) != nil || parts == nil {
		text, err := keyText(d.Delete)
		if err != nil {
			return nil, err
		}
		return record.SplitTexts(text, keyParts)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		var err error
		if texts[i], err = keyText(p); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func keyText(raw json.RawMessage) (string, error) {
	switch {
	case len(raw) > 0 && raw[0] == '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case len(raw) == 0, raw[0] == '{', raw[0] == '[', raw[0] == 'n':
		return "", errors.New(`a delete is {"$delete": KEY} or {"$delete": [PART, PART]}`)
	}
	return string(raw), nil
}

// DeleteLine is the line that deletes a key when it is published, the inverse of what the
// door reads: a key as a person writes it, or the texts of its parts.
func DeleteLine[K string | []string](key K) ([]byte, error) {
	return json.Marshal(struct {
		Delete K `json:"$delete"`
	}{key})
}

// DeletedKey is the texts of the key that a line deletes, false for one that deletes
// none: the inverse of DeleteLine of texts.
func DeletedKey(line []byte) ([]string, bool) {
	if controlField(line) != "$delete" {
		return nil, false
	}
	texts, err := parseDelete(line, 1)
	return texts, err == nil
}

// rowReader reads messages of a log: each adds one row, unless it is no record of the
// contract.
type rowReader struct {
	contract *contract.Contract
	rows     *contract.Decoder
	probe    *contract.Decoder // takes a large record first, for its key may be too long
}

func newRowReader(c *contract.Contract) *rowReader {
	return &rowReader{contract: c, rows: c.NewDecoder(), probe: c.NewDecoder()}
}

// read adds one message's row. The error says why it is no record of the contract;
// contract.ErrFull alone is no fault of the message.
func (r *rowReader) read(m *Message) (record.Record, error) {
	rec := record.Record{Seq: m.Seq, Time: m.Time}
	if m.header(product.HeaderDelete) != "" {
		key, err := deletedKey(r.contract, m)
		if err != nil {
			return rec, err
		}
		rec.Key, rec.Deleted = key, true
		return rec, r.rows.AppendDelete(key)
	}
	if len(m.Data) > maxKey {
		key, err := r.probe.Append(m.Data)
		r.probe.Reset()
		if err == nil {
			err = checkKey(key)
		}
		if err != nil {
			return rec, err
		}
	}
	var err error
	rec.Value = m.Data
	rec.Key, err = r.rows.Append(m.Data)
	return rec, err
}

func checkKey(key record.Key) error {
	if len(key) > maxKey {
		return fmt.Errorf("a key of %d bytes is more than the %d that one may have", len(key), maxKey)
	}
	return nil
}

func deletedKey(c *contract.Contract, m *Message) (record.Key, error) {
	if !c.State() {
		return nil, errors.New("a delete in the log of an event port, which is append-only")
	}
	texts, err := deletedTexts(m)
	if err != nil {
		return nil, err
	}
	key, err := c.KeyFromTexts(texts)
	if err != nil {
		return nil, err
	}
	return key, checkKey(key)
}

// deletedTexts are the texts of the key that a message deletes.
func deletedTexts(m *Message) ([]string, error) {
	var texts []string
	if err := json.Unmarshal([]byte(m.header(product.HeaderKey)), &texts); err != nil {
		return nil, fmt.Errorf("read the key of a delete: %w", err)
	}
	return texts, nil
}
