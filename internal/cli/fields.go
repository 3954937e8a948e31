package cli

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/meshctl/meshctl/internal/serve"
)

// fieldColumns are the fields of the records as the columns of a table, in the order in
// which they first occur. It is not so when a record is no object.
func fieldColumns(records []serve.Record) (header []string, rows [][]string, ok bool) {
	for _, r := range records {
		names, texts, ok := fields(r.Value)
		if !ok {
			return nil, nil, false
		}
		var row []string
		for i, name := range names {
			c := slices.Index(header, name)
			if c < 0 {
				c = len(header)
				header = append(header, name)
			}
			row = append(row, make([]string, max(0, c+1-len(row)))...)
			row[c] = texts[i]
		}
		rows = append(rows, row)
	}
	for i := range rows {
		rows[i] = append(rows[i], make([]string, len(header)-len(rows[i]))...)
	}
	return header, rows, len(header) > 0
}

// fields are the names and values of an object's fields, a text without its quotes.
func fields(object json.RawMessage) (names, texts []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, false
		}
		var text string
		switch {
		case string(value) == "null":
			text = "NULL"
		case json.Unmarshal(value, &text) != nil:
			text = string(value)
		}
		names, texts = append(names, name.(string)), append(texts, text)
	}
	return names, texts, true
}
