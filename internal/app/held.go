package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

// held is what a join has of one owner's tables.
type held struct {
	sql      string            // that was asked
	versions map[string]string // of the tables, by their names in watermarks
	tables   []routed
}

// hold takes in what an owner has answered of an origin.
func (j *join) hold(o *origin, sql string, a serve.QueryAnswer) {
	h := j.held[o.id.Product]
	if h == nil {
		h = &held{sql: sql, versions: map[string]string{}}
		j.held[o.id.Product] = h
	} else {
		h.sql += "; " + sql
	}
	h.tables = append(h.tables, o.tables...)
	for table := range a.Watermarks {
		version, before := a.Versions[table], h.versions[table]
		j.moved = j.moved || version == "" || before != "" && before != version
		h.versions[table] = version
	}
}

// whole says whether the join has all that the statement needs, of one version of each table.
func (j *join) whole() bool {
	for _, o := range j.origins {
		h := j.held[o.id.Product]
		for _, t := range o.tables {
			if h == nil || h.versions[t.port.Table] == "" {
				return false
			}
		}
	}
	return !j.moved && len(j.missing) == 0
}

// keyOf tells a statement, and the contracts that it was understood by, from all others;
// "" for one whose answer changes though no table moves, or that is not about now.
func keyOf(tables []routed, r serve.QueryRequest) (string, error) {
	if len(tables) == 0 || len(r.AsOf) > 0 || !federate.Timeless(r.SQL) {
		return "", nil
	}
	type table struct {
		Schema, Name string
		ID           product.PortID
		Output       product.Output
	}
	key := struct {
		SQL    string
		Args   map[string]any
		Tables []table
	}{SQL: r.SQL, Args: r.Args}
	for _, t := range tables {
		key.Tables = append(key.Tables, table{t.ref.Schema, t.ref.Name, t.id, t.port.Output})
	}
	text, err := json.Marshal(key)
	return string(text), err
}

// keptJoin is what an earlier answer to the statement was made of, with new watermarks, if
// all of it is as its owners have it now; nil where it is not.
func (c *Client) keptJoin(ctx context.Context, key string, r serve.QueryRequest, began time.Time) (*join, error) {
	here, j := c.here.find(key)
	if j == nil {
		return nil, nil
	}
	j.here, j.began, j.steps, j.marks = here, began, nil, maps.Clone(j.marks)
	err := j.unmoved(ctx, r.TimeoutMillis)
	if err == nil {
		return j, nil
	}
	if errors.Is(err, errMoved) || r.AllowPartial {
		err = nil
	}
	return nil, errors.Join(err, j.end())
}

// unmoved is errMoved unless each owner says that it still has all that was fetched from it.
func (j *join) unmoved(ctx context.Context, timeout int64) error {
	all, ctx := errgroup.WithContext(ctx)
	for name, h := range j.held {
		all.Go(func() error {
			began := time.Now()
			req, err := json.Marshal(serve.QueryRequest{SQL: h.sql, Held: h.versions, TimeoutMillis: timeout})
			if err != nil {
				return err
			}
			text, err := mesh.Call(ctx, j.c.nc, product.ServiceSubject(name, "query"), req)
			if err != nil {
				return fmt.Errorf("ask whether %s has moved: %w", h.tables[0].id, sinceWhen(err, h.tables))
			}
			var a serve.QueryAnswer
			if err := json.Unmarshal(text, &a); err != nil {
				return err
			}
			j.did(Step{What: "check", Product: name, Bytes: int64(len(req) + len(text))}, began)
			if !maps.Equal(a.Versions, h.versions) {
				return errMoved
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			for table, now := range a.Watermarks {
				mark := j.marks[table] // whose time has all its digits
				mark.Lag = now.Lag
				j.marks[table] = mark
			}
			return nil
		})
	}
	return all.Wait()
}

// stillHeld says, to who has rows of tables, which versions of them there are now and as of
// when these hold.
func (p *Product) stillHeld(ctx context.Context, r serve.QueryRequest) (serve.QueryAnswer, error) {
	began := time.Now()
	var a serve.QueryAnswer
	a.Watermarks, a.Versions = p.sql().Versions(slices.Collect(maps.Keys(r.Held)))
	err := p.addLag(ctx, a.Watermarks)
	a.Millis = millis(time.Since(began))
	end := outcome(ctx, err)
	if err == nil {
		if end = "moved"; maps.Equal(a.Versions, r.Held) {
			end = "unmoved"
		}
	}
	p.audit(r, a, end, err)
	return a, err
}
