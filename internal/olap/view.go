package olap

import (
	"context"
	"path/filepath"
	"strings"
)

// The columns that a tail and a segment have besides the contract's. A tail of a
// state port also has goneColumn; a segment never does, for it holds no deleted key.
const (
	seqColumn  = "_seq"
	timeColumn = "_time"
	goneColumn = "_deleted"
)

// replaceView makes the port's views anew, within the transaction of w. order is the
// contract's columns in the contract's order. A name that was another port's is this
// one's from then on.
func (db *DB) replaceView(ctx context.Context, w *conn, p *port, order []string) error {
	parts := p.fileParts(db.dir, p.segments, order, false)
	if db.cache != nil {
		if err := db.bindEmpty(ctx, w, p); err != nil {
			return err
		}
		parts = p.variableParts(order)
	}
	rows := p.union(parts, order, false)
	for _, name := range p.views {
		if err := w.exec(ctx, "CREATE OR REPLACE VIEW "+ident(p.schema)+"."+ident(name)+" AS "+rows); err != nil {
			return err
		}
	}
	return nil
}

// union is a SELECT of the port's live rows, given the SELECTs of its segments: the
// columns of order, and with hidden the sequence and time before them.
func (p *port) union(parts, order []string, hidden bool) string {
	above := p.shown()
	if p.state {
		for i := range parts {
			parts[i] += p.without(above)
		}
		for i := len(above) - 1; i >= 0; i-- {
			parts = append(parts, "SELECT "+p.list(order, len(p.columns), hidden)+" FROM "+above[i]+" AS s"+p.without(above[:i])+" WHERE NOT "+goneColumn)
		}
		return strings.Join(parts, " UNION ALL ")
	}
	for i := len(above) - 1; i >= 0; i-- {
		parts = append(parts, "SELECT "+p.list(order, len(p.columns), hidden)+" FROM "+above[i]+" AS s")
	}
	return strings.Join(parts, " UNION ALL ")
}

// levels are the tables above the segments, the newest first.
func (p *port) levels() []string {
	l := []string{p.tailName(p.tail)}
	if p.sealed != 0 {
		l = append(l, p.tailName(p.sealed))
	}
	return l
}

// shown are the levels that the view has. A tail without rows is left out, so that a
// query over segments alone is as fast as one over their files.
func (p *port) shown() []string {
	l := p.levels()
	if !p.used && (p.sealed != 0 || len(p.segments) > 0) {
		l = l[1:]
	}
	return l
}

// without joins away the rows of s whose key is in one of the tables above.
func (p *port) without(above []string) string {
	var b strings.Builder
	for _, table := range above {
		b.WriteString(" ANTI JOIN " + table + " USING (" + idents("", p.key) + ")")
	}
	return b.String()
}

// fileParts are SELECTs over segments, one for each run of files that have the same
// columns. So Parquet's own schema is enough: union_by_name would open every file
// of the table to plan any query.
func (p *port) fileParts(dir string, segments []segment, order []string, hidden bool) []string {
	var parts []string
	for len(segments) > 0 {
		n := 1
		for n < len(segments) && segments[n].columns == segments[0].columns {
			n++
		}
		files := make([]string, n)
		for i, s := range segments[:n] {
			files[i] = filepath.Join(dir, p.folder, s.file)
		}
		parts = append(parts, "SELECT "+p.list(order, segments[0].columns, hidden)+" FROM read_parquet("+literals(files)+") AS s")
		segments = segments[n:]
	}
	return parts
}

// list is a SELECT list; columns beyond the first have are NULL.
func (p *port) list(order []string, have int, hidden bool) string {
	var items []string
	if hidden {
		items = append(items, "s."+seqColumn, "s."+timeColumn)
	}
	for _, name := range order {
		for i, c := range p.columns {
			switch {
			case c.Name != name:
			case i < have:
				items = append(items, "s."+ident(name))
			default:
				items = append(items, "NULL::"+c.Type+" AS "+ident(name))
			}
		}
	}
	return strings.Join(items, ", ")
}

// names are the port's columns in stored order.
func (p *port) names() []string {
	list := make([]string, len(p.columns))
	for i, c := range p.columns {
		list[i] = c.Name
	}
	return list
}
