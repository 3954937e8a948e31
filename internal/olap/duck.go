package olap

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	duck "github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/meshctl/meshctl/internal/record"
)

// engine is one DuckDB instance.
type engine struct{ db duck.Database }

// openEngine opens the database file at path, or one in memory when path is empty.
func openEngine(path string, settings map[string]string) (*engine, error) {
	var config duck.Config
	if duck.CreateConfig(&config) == duck.StateError {
		return nil, errors.New("create the database configuration")
	}
	defer duck.DestroyConfig(&config)
	for name, value := range settings {
		if duck.SetConfig(config, name, value) == duck.StateError {
			return nil, fmt.Errorf("set %s to %q", name, value)
		}
	}
	e := &engine{}
	var msg string
	if duck.OpenExt(path, &e.db, config, &msg) == duck.StateError {
		duck.Close(&e.db)
		return nil, errors.New(msg)
	}
	if err := e.setUTC(); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// setUTC makes UTC the time zone of every connection to come. A connection takes the
// zone that its Arrow schemas name when it is made.
func (e *engine) setUTC() error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	defer c.close()
	return c.exec(context.Background(), "SET GLOBAL TimeZone = 'UTC'")
}

func (e *engine) close() { duck.Close(&e.db) }

// conn is one connection. It is used by one goroutine at a time.
type conn struct {
	c     duck.Connection
	arrow bindings.ArrowOptions
	kept  map[string]*stmt // prepared statements of keptRows, by text
}

func (e *engine) connect() (*conn, error) {
	c := &conn{}
	if duck.Connect(e.db, &c.c) == duck.StateError {
		return nil, errors.New("connect to the database")
	}
	bindings.ConnectionGetArrowOptions(c.c, &c.arrow)
	return c, nil
}

func (c *conn) close() {
	for _, s := range c.kept {
		s.close()
	}
	bindings.DestroyArrowOptions(&c.arrow)
	duck.Disconnect(&c.c)
}

// watch interrupts what runs on the connection when ctx is done. The returned
// function ends the watch and waits until no interrupt can come any more, so that
// the next statement on this connection is never hit.
func (c *conn) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(done)
		duck.Interrupt(c.c)
	})
	return func() {
		if !unhook() {
			<-done
		}
	}
}

// exec runs one statement and drops its result.
func (c *conn) exec(ctx context.Context, sql string, args ...any) error {
	r, err := c.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	return r.drain(ctx)
}

// query runs one statement of ours and streams its result.
func (c *conn) query(ctx context.Context, sql string, args ...any) (*result, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	if err := st.bind(args); err != nil {
		st.close()
		return nil, err
	}
	return st.run(ctx)
}

// tx runs body in one transaction: all of it, or on an error nothing. Its ends cannot be
// cancelled: a BEGIN or COMMIT that was interrupted may have happened all the same.
func (c *conn) tx(ctx context.Context, body func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	whole := context.WithoutCancel(ctx)
	if err := c.exec(whole, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := body()
	if err == nil {
		err = c.exec(whole, "COMMIT")
	}
	if err != nil {
		// A failed COMMIT has ended the transaction already; then this is a no-op that errs.
		if rollback := c.exec(whole, "ROLLBACK"); rollback != nil && !noTransaction(rollback) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollback))
		}
	}
	return err
}

// stmt is a prepared statement.
type stmt struct {
	c    *conn
	p    duck.PreparedStatement
	kept bool // it stays prepared when its result is closed
}

// errSeveral says that a text holds no statement, or more than one.
var errSeveral = errors.New("expected exactly one statement")

// prepare prepares sql, which must be one statement.
func (c *conn) prepare(sql string) (*stmt, error) {
	var list duck.ExtractedStatements
	n := duck.ExtractStatements(c.c, sql, &list)
	defer duck.DestroyExtracted(&list)
	if n == 0 {
		if msg := duck.ExtractStatementsError(list); msg != "" {
			return nil, newDuckError(msg)
		}
	}
	if n != 1 {
		return nil, errSeveral
	}
	s := &stmt{c: c}
	if duck.PrepareExtractedStatement(c.c, list, 0, &s.p) == duck.StateError {
		err := newDuckError(duck.PrepareError(s.p))
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stmt) close() { duck.DestroyPrepare(&s.p) }

func (s *stmt) kind() duck.StatementType { return duck.PreparedStatementType(s.p) }

// bind binds args to the parameters by position.
func (s *stmt) bind(args []any) error {
	if n := int(duck.NParams(s.p)); n != len(args) {
		return fmt.Errorf("the statement has %d parameters, %d arguments were given", n, len(args))
	}
	for i, a := range args {
		if err := s.bindOne(duck.IdxT(i+1), a); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// bindNamed binds args to the parameters by name.
func (s *stmt) bindNamed(args map[string]any) error {
	if n := int(duck.NParams(s.p)); n != len(args) {
		return fmt.Errorf("the statement has %d parameters, %d arguments were given", n, len(args))
	}
	for name, a := range args {
		var i duck.IdxT
		if duck.BindParameterIndex(s.p, &i, name) == duck.StateError {
			return fmt.Errorf("the statement has no parameter $%s", name)
		}
		if err := s.bindOne(i, a); err != nil {
			return fmt.Errorf("argument $%s: %w", name, err)
		}
	}
	return nil
}

func (s *stmt) bindOne(i duck.IdxT, arg any) error {
	v, err := newValue(arg)
	if err != nil {
		return err
	}
	defer duck.DestroyValue(&v)
	if duck.BindValue(s.p, i, v) == duck.StateError {
		return newDuckError(duck.PrepareError(s.p))
	}
	return nil
}

func newValue(arg any) (duck.Value, error) {
	switch v := arg.(type) {
	case nil:
		return duck.CreateNullValue(), nil
	case string:
		return duck.CreateVarchar(v), nil
	case bool:
		return duck.CreateBool(v), nil
	case int:
		return duck.CreateInt64(int64(v)), nil
	case int64:
		return duck.CreateInt64(v), nil
	case int32:
		return duck.CreateInt32(v), nil
	case uint64:
		return duck.CreateUInt64(v), nil
	case record.Seq:
		return duck.CreateUInt64(uint64(v)), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 { // a JSON number: keep whole ones whole
			return duck.CreateInt64(int64(v)), nil
		}
		return duck.CreateDouble(v), nil
	case []byte:
		return duck.CreateBlob(v), nil
	case record.Date:
		return duck.CreateDate(duck.NewDate(int32(v))), nil
	case time.Time:
		return duck.CreateTimestampTZ(duck.NewTimestamp(v.UnixMicro())), nil
	case *big.Int:
		return duck.CreateVarchar(v.String()), nil
	}
	return duck.Value{}, fmt.Errorf("a %T cannot be an argument", arg)
}

// run executes the statement, which then belongs to the result.
func (s *stmt) run(ctx context.Context) (*result, error) {
	r := &result{s: s}
	if err := ctx.Err(); err != nil {
		r.close()
		return nil, err
	}
	stop := s.c.watch(ctx)
	state := bindings.ExecutePreparedStreaming(s.p, &r.res)
	stop()
	if state == duck.StateError {
		err := newDuckError(duck.ResultError(&r.res))
		r.close()
		return nil, interrupted(ctx, err)
	}
	return r, nil
}

// result is a running statement's answer, chunk by chunk.
type result struct {
	s      *stmt
	res    duck.Result
	closed bool
}

// next is the next chunk, which the caller destroys; ok is false at the end.
func (r *result) next(ctx context.Context) (chunk duck.DataChunk, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return chunk, false, err
	}
	stop := r.s.c.watch(ctx)
	chunk = duck.FetchChunk(r.res)
	stop()
	if chunk.Ptr == nil {
		if msg := duck.ResultError(&r.res); msg != "" {
			return chunk, false, interrupted(ctx, newDuckError(msg))
		}
		return chunk, false, nil
	}
	if duck.DataChunkGetSize(chunk) == 0 {
		duck.DestroyDataChunk(&chunk)
		return chunk, false, nil
	}
	return chunk, true, nil
}

func (r *result) drain(ctx context.Context) error {
	defer r.close()
	for {
		chunk, ok, err := r.next(ctx)
		if err != nil || !ok {
			return err
		}
		duck.DestroyDataChunk(&chunk)
	}
}

func (r *result) close() {
	if r.closed {
		return
	}
	r.closed = true
	duck.DestroyResult(&r.res)
	if !r.s.kept {
		r.s.close()
	}
}
