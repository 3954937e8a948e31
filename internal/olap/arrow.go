package olap

// DuckDB's C functions for Arrow are wrapped by the bindings only behind a build
// tag; meshctl builds without tags, so they are declared here. The symbols come from
// the static library that the bindings link.

/*
#include <stdint.h>
#include <stdlib.h>

typedef uint64_t mesh_idx;
extern void* duckdb_to_arrow_schema(void* options, void** types, const char** names, mesh_idx n, void* out_schema);
extern void* duckdb_data_chunk_to_arrow(void* options, void* chunk, void* out_array);
extern void* duckdb_schema_from_arrow(void* connection, void* schema, void** out_converted);
extern void* duckdb_data_chunk_from_arrow(void* connection, void* array, void* converted, void** out_chunk);
extern void duckdb_destroy_arrow_converted_schema(void** converted);
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	"github.com/apache/arrow-go/v18/arrow/memory"
	duck "github.com/duckdb/duckdb-go/v2/mapping"
)

// vectorSize is the most rows that DuckDB takes or gives in one chunk.
const vectorSize = 2048

// The C data interface's structs; DuckDB and arrow-go both know their layout.
const (
	sizeSchema = unsafe.Sizeof(cdata.CArrowSchema{})
	sizeArray  = unsafe.Sizeof(cdata.CArrowArray{})
)

func failed(data unsafe.Pointer) error {
	ed := duck.ErrorData{Ptr: data}
	defer duck.DestroyErrorData(&ed)
	if ed.Ptr != nil && duck.ErrorDataHasError(ed) {
		return newDuckError(duck.ErrorDataMessage(ed))
	}
	return nil
}

// schema is the result's columns as an Arrow schema.
func (r *result) schema() (*arrow.Schema, error) {
	n := int(duck.ColumnCount(&r.res))
	pointer := unsafe.Sizeof(unsafe.Pointer(nil))
	types := C.calloc(C.size_t(n+1), C.size_t(pointer))
	names := C.calloc(C.size_t(n+1), C.size_t(pointer))
	defer C.free(types)
	defer C.free(names)
	typeList := unsafe.Slice((*unsafe.Pointer)(types), n)
	nameList := unsafe.Slice((**C.char)(names), n)
	for i := range n {
		t := duck.ColumnLogicalType(&r.res, duck.IdxT(i))
		defer duck.DestroyLogicalType(&t)
		name := C.CString(duck.ColumnName(&r.res, duck.IdxT(i)))
		defer C.free(unsafe.Pointer(name))
		typeList[i], nameList[i] = t.Ptr, name
	}
	out := C.calloc(1, C.size_t(sizeSchema))
	defer C.free(out)
	schema := (*cdata.CArrowSchema)(out)
	defer cdata.ReleaseCArrowSchema(schema)
	if err := failed(C.duckdb_to_arrow_schema(r.s.c.arrow.Ptr, (*unsafe.Pointer)(types), (**C.char)(names), C.mesh_idx(n), out)); err != nil {
		return nil, err
	}
	return cdata.ImportCArrowSchema(schema)
}

// toArrow converts chunk into a record batch of that schema; it consumes the chunk.
func (c *conn) toArrow(schema *arrow.Schema, chunk duck.DataChunk) (arrow.RecordBatch, error) {
	defer duck.DestroyDataChunk(&chunk)
	out := C.calloc(1, C.size_t(sizeArray))
	defer C.free(out)
	arr := (*cdata.CArrowArray)(out)
	defer cdata.ReleaseCArrowArray(arr)
	if err := failed(C.duckdb_data_chunk_to_arrow(c.arrow.Ptr, chunk.Ptr, out)); err != nil {
		return nil, err
	}
	return cdata.ImportCRecordBatchWithSchema(arr, schema)
}

// converter is DuckDB's reading of one Arrow schema.
type converter struct {
	c   *conn
	ptr unsafe.Pointer
}

func (c *conn) converter(schema *arrow.Schema) (*converter, error) {
	in := C.calloc(1, C.size_t(sizeSchema))
	defer C.free(in)
	cs := (*cdata.CArrowSchema)(in)
	cdata.ExportArrowSchema(schema, cs)
	defer cdata.ReleaseCArrowSchema(cs)
	k := &converter{c: c}
	if err := failed(C.duckdb_schema_from_arrow(c.c.Ptr, in, &k.ptr)); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *converter) close() {
	if k.ptr != nil {
		C.duckdb_destroy_arrow_converted_schema(&k.ptr)
		k.ptr = nil
	}
}

// chunk is rec, of at most vectorSize rows, as a chunk that the caller destroys.
func (k *converter) chunk(rec arrow.RecordBatch) (duck.DataChunk, error) {
	in := C.calloc(1, C.size_t(sizeArray))
	defer C.free(in)
	arr := (*cdata.CArrowArray)(in)
	cdata.ExportArrowRecordBatch(rec, arr, nil)
	defer cdata.ReleaseCArrowArray(arr)
	var out unsafe.Pointer
	if err := failed(C.duckdb_data_chunk_from_arrow(k.c.c.Ptr, in, k.ptr, &out)); err != nil {
		return duck.DataChunk{}, err
	}
	return duck.DataChunk{Ptr: out}, nil
}

// fill appends all batches that next gives until io.EOF, of one schema, to a table (catalog "" is the database itself).
func (c *conn) fill(ctx context.Context, catalog, schema, table string, next func(context.Context) (arrow.RecordBatch, error)) error {
	a, err := c.appender(catalog, schema, table)
	if err != nil {
		return err
	}
	for {
		rec, err := next(ctx)
		if err == nil {
			err = a.add(ctx, rec)
			rec.Release()
		}
		if err != nil {
			return a.close(err)
		}
	}
}

// appendTo appends rec to a table (catalog "" is the database itself), within the connection's transaction if it is in one.
func (c *conn) appendTo(ctx context.Context, catalog, schema, table string, rec arrow.RecordBatch) error {
	a, err := c.appender(catalog, schema, table)
	if err != nil {
		return err
	}
	return a.close(a.add(ctx, rec))
}

// appender appends batches of one schema to a table. It must be closed.
type appender struct {
	c     *conn
	table string
	app   duck.Appender
	conv  *converter // of the first batch's schema
}

func (c *conn) appender(catalog, schema, table string) (*appender, error) {
	a := &appender{c: c, table: table}
	if duck.AppenderCreateExt(c.c, catalog, schema, table, &a.app) == duck.StateError {
		err := a.failed()
		duck.AppenderDestroy(&a.app)
		return nil, err
	}
	return a, nil
}

// failed is what the appender says went wrong.
func (a *appender) failed() error {
	return fmt.Errorf("append to %s: %w", a.table, newDuckError(duck.AppenderError(a.app)))
}

// close writes what was appended, or after an error, other than io.EOF, nothing of it. It returns the error.
func (a *appender) close(err error) error {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && duck.AppenderClose(a.app) == duck.StateError {
		err = a.failed()
	}
	if err != nil {
		duck.AppenderClear(a.app) // destroying flushes; what failed must not be written
	}
	duck.AppenderDestroy(&a.app)
	if a.conv != nil {
		a.conv.close()
	}
	return err
}

func (a *appender) add(ctx context.Context, rec arrow.RecordBatch) (err error) {
	if a.conv == nil {
		if a.conv, err = a.c.converter(rec.Schema()); err != nil {
			return err
		}
	}
	for from := int64(0); from < rec.NumRows(); from += vectorSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		part, err := slice(rec, from, min(from+vectorSize, rec.NumRows()))
		if err != nil {
			return err
		}
		chunk, err := a.conv.chunk(part)
		part.Release()
		if err != nil {
			return err
		}
		state := duck.AppendDataChunk(a.app, chunk)
		duck.DestroyDataChunk(&chunk)
		if state == duck.StateError {
			return a.failed()
		}
	}
	return nil
}

// slice is some rows of rec. Nested columns are copied, because DuckDB misreads lists
// that do not start at the start of their array.
func slice(rec arrow.RecordBatch, from, to int64) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, rec.NumCols())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, c := range rec.Columns() {
		columns[i] = array.NewSlice(c, from, to)
		if !arrow.IsNested(c.DataType().ID()) || c.Data().Offset()+int(from) == 0 {
			continue
		}
		whole, err := array.Concatenate([]arrow.Array{columns[i]}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		columns[i].Release()
		columns[i] = whole
	}
	return array.NewRecordBatch(rec.Schema(), columns, to-from), nil
}

// rowsOf collects a small result of ours as Go values, row by row.
func (c *conn) rowsOf(ctx context.Context, sql string, args ...any) ([][]any, error) {
	r, err := c.query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return r.collect(ctx)
}

// keptRows is rowsOf for a statement that is asked again and again: it stays prepared,
// for preparing costs more than answering.
func (c *conn) keptRows(ctx context.Context, sql string, args ...any) ([][]any, error) {
	st := c.kept[sql]
	if st == nil {
		var err error
		if st, err = c.prepare(sql); err != nil {
			return nil, err
		}
		st.kept = true
		if c.kept == nil {
			c.kept = map[string]*stmt{}
		}
		c.kept[sql] = st
	}
	if err := st.bind(args); err != nil {
		return nil, err
	}
	r, err := st.run(ctx)
	if err != nil {
		return nil, err
	}
	return r.collect(ctx)
}

func (r *result) collect(ctx context.Context) ([][]any, error) {
	defer r.close()
	schema, err := r.schema()
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for {
		chunk, ok, err := r.next(ctx)
		if err != nil || !ok {
			return rows, err
		}
		rec, err := r.s.c.toArrow(schema, chunk)
		if err != nil {
			return nil, err
		}
		for i := range int(rec.NumRows()) {
			row := make([]any, rec.NumCols())
			for j, col := range rec.Columns() {
				row[j] = cell(col, i)
			}
			rows = append(rows, row)
		}
		rec.Release()
	}
}

// cell is one value of the few types that our own statements ask for.
func cell(col arrow.Array, i int) any {
	if col.IsNull(i) {
		return nil
	}
	switch a := col.(type) {
	case *array.Int64:
		return a.Value(i)
	case *array.Uint64:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.String:
		return string([]byte(a.Value(i)))
	case *array.Float64:
		return a.Value(i)
	case *array.Timestamp:
		return a.Value(i).ToTime(a.DataType().(*arrow.TimestampType).Unit)
	case *array.List:
		from, to := a.ValueOffsets(i)
		list := make([]any, 0, to-from)
		for j := from; j < to; j++ {
			list = append(list, cell(a.ListValues(), int(j)))
		}
		return list
	}
	return col.ValueStr(i)
}
