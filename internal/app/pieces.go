package app

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/serve"
)

// piece is a SELECT in brackets that one owner answers by itself.
type piece struct {
	sql     string
	tables  []routed
	columns *arrow.Schema
	few     bool // rows
}

// groupShare is the share of a table's rows that its groups are taken to be, before a
// predicate leaves few of them.
const groupShare = 0.3

// origin is the piece as a table of what is left of the statement, the one of that name.
func (p *piece) origin(name olap.TableRef) origin {
	o := origin{id: p.tables[0].id, piece: p.sql, few: p.few, tables: p.tables, place: olap.Place{Names: []olap.TableRef{name}, Columns: p.columns}}
	for _, t := range p.tables {
		o.rows = max(o.rows, groupShare*float64(t.port.Records))
	}
	return o
}

// takePieces has owners answer by themselves what they can of the statement, where their answer
// is less than the rows that it is made of. The rest of the statement is planned anew, over their answers.
func (j *join) takePieces(ctx context.Context, here *olap.DB, tables []routed, r serve.QueryRequest) error {
	var pieces []piece
	var failed error
	rest := federate.Cut(r.SQL, func(part string) (string, bool) {
		p, ok, err := j.piece(ctx, here, tables, r.SQL, part)
		if failed = errors.Join(failed, err); !ok || err != nil {
			return "", false
		}
		i := slices.IndexFunc(pieces, func(q piece) bool { return q.sql == p.sql })
		if i < 0 {
			i, pieces = len(pieces), append(pieces, p)
		}
		return olap.Piece(i).SQL(), true
	})
	if failed != nil || len(pieces) == 0 {
		return failed
	}
	left, err := j.without(ctx, here, tables, rest, pieces)
	if err != nil {
		return err
	}
	r.SQL = rest
	same, err := j.alike(ctx, left, r)
	if err != nil || !same {
		return errors.Join(err, left.stage.Close())
	}
	if err := left.plan(ctx, r); err != nil || len(left.scans.Scans) == 0 {
		return errors.Join(err, left.stage.Close())
	}
	spent := j.stage
	j.stage, j.origins, j.scans, j.sql = left.stage, left.origins, left.scans, rest
	return spent.Close()
}

// piece is a part of the statement if it is worth while and safe to have its owner answer it.
func (j *join) piece(ctx context.Context, here *olap.DB, tables []routed, sql, part string) (p piece, ok bool, err error) {
	refs, err := here.TablesIn(ctx, part)
	if err != nil || len(refs) == 0 || !federate.Steady(part) {
		return p, false, ctx.Err()
	}
	p.sql = part
	for _, ref := range refs {
		i := slices.IndexFunc(tables, func(t routed) bool { return t.ref == ref })
		if i < 0 || ref.Schema == "" && federate.Defines(sql, ref.Name) {
			return p, false, nil
		}
		p.tables = append(p.tables, tables[i])
	}
	if soleOwner(p.tables) == "" {
		return p, false, nil
	}
	if p.columns, ok, err = j.stage.Whole(ctx, part); !ok || err != nil {
		return p, false, err
	}
	err = j.stage.Plan(ctx, part, func(plan []byte) error {
		ok, p.few = federate.Reduces(plan)
		return nil
	})
	if err != nil {
		return p, false, ctx.Err()
	}
	return p, ok, nil
}

// without is a join of what the rest of the statement reads: tables, and the pieces.
func (j *join) without(ctx context.Context, here *olap.DB, tables []routed, rest string, pieces []piece) (*join, error) {
	refs, err := here.TablesIn(ctx, rest)
	if err != nil {
		return nil, err
	}
	tables = slices.DeleteFunc(slices.Clone(tables), func(t routed) bool { return !slices.Contains(refs, t.ref) })
	list, err := origins(tables)
	if err != nil {
		return nil, err
	}
	for i := range pieces {
		list = append(list, pieces[i].origin(olap.Piece(i)))
	}
	left := &join{c: j.c, origins: list, moment: j.moment}
	left.stage, err = here.NewStage(ctx, places(list), j.moment)
	return left, err
}

// alike says whether what is left of the statement gives the same columns as all of it.
func (j *join) alike(ctx context.Context, left *join, rest serve.QueryRequest) (bool, error) {
	whole, err := j.columns(ctx, serve.QueryRequest{SQL: j.sql, Args: rest.Args})
	if err != nil {
		return false, ctx.Err() // it is told so when it is run
	}
	parts, err := left.columns(ctx, rest)
	if err != nil {
		return false, ctx.Err()
	}
	return slices.Equal(whole, parts), nil
}

// columns are those that a statement gives over the stage.
func (j *join) columns(ctx context.Context, r serve.QueryRequest) ([]olap.Described, error) {
	sql, err := federate.Bind(r.SQL, r.Args)
	if err != nil {
		return nil, err
	}
	return j.stage.Describe(ctx, sql)
}
