package storetest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/record"
)

// Row is a record's value in the schema that all batches here have.
type Row struct {
	Key  string `json:"key"`
	N    int64  `json:"n"`
	Text string `json:"text"`
}

// Schema is that schema in columns; key is the key column.
func Schema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "key", Type: arrow.BinaryTypes.String},
		{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
}

// Put is a record that sets a row.
func Put(seq record.Seq, row Row) record.Record {
	value, err := json.Marshal(row)
	if err != nil {
		panic(fmt.Sprintf("storetest: marshal a row: %v", err))
	}
	return record.Record{Seq: seq, Time: timeOf(seq), Key: record.NewKey(row.Key), Value: value}
}

// Delete is a record that deletes a key.
func Delete(seq record.Seq, key string) record.Record {
	return record.Record{Seq: seq, Time: timeOf(seq), Key: record.NewKey(key), Deleted: true}
}

// timeOf is a time that fits a sequence, to the microsecond.
func timeOf(seq record.Seq) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seq) * 1001 * time.Microsecond)
}

// Batch is records with their columns: of a delete, the key, all else null.
func Batch(records ...record.Record) record.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, Schema())
	defer b.Release()
	key, n, text := b.Field(0).(*array.StringBuilder), b.Field(1).(*array.Int64Builder), b.Field(2).(*array.StringBuilder)
	for _, r := range records {
		if r.Deleted {
			texts, err := r.Key.Texts()
			if err != nil || len(texts) != 1 {
				panic(fmt.Sprintf("storetest: key %x is not one text: %v", []byte(r.Key), err))
			}
			key.Append(texts[0])
			n.AppendNull()
			text.AppendNull()
			continue
		}
		row := rowOf(r)
		key.Append(row.Key)
		n.Append(row.N)
		text.Append(row.Text)
	}
	return record.Batch{Records: records, Columns: b.NewRecordBatch()}
}

func rowOf(r record.Record) Row {
	var row Row
	if err := json.Unmarshal(r.Value, &row); err != nil {
		panic(fmt.Sprintf("storetest: value %q of record %d: %v", r.Value, r.Seq, err))
	}
	return row
}
