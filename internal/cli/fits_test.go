package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/scaffold"
	"github.com/meshctl/meshctl/templates"
)

// The promise of init --from: the file's own rows keep the contract that it makes.
func TestRowsFitTheSchemaMadeOfTheirFile(t *testing.T) {
	for name, text := range map[string]string{
		"plain.csv":      "a,b c,d\n1,x,2026-01-02\n2,y,2026-01-03\n",
		"codes.csv":      "zip,phone,big,flag,when,at\n00123,+49 1,12345678901234567890,true,2026-01-02 03:04:05,03:04:05\n99999,+49 2,2,false,2026-01-02T03:04:05Z,23:59:59\n",
		"gaps.csv":       "a,,c\n1,,\n,x,\n",
		"mixed.csv":      "a,b\n1,1.5\nx,\n2,-\n",
		"numbers.csv":    "a,b,c\n1,1.5,1e3\n2,2,5\n",
		"dates.csv":      "a,b\n2001/01/10 11:00,10.01.2001\n2001/01/11 12:00,31.12.2001\n",
		"times.ndjson":   `{"a":"2026-01-02 03:04:05","b":"2026-01-02","c":"03:04:05","d":"2026-01-02T03:04:05Z"}` + "\n" + `{"a":"2026-01-02 03:04:06","b":"2026-01-03","c":"03:04:06","d":"2026-01-02T03:04:05.123456Z"}`,
		"slashes.ndjson": `{"a":"2001/01/10 11:00"}` + "\n" + `{"a":"2001/01/10 11:00"}`,
		"nested.ndjson":  `{"a":{"b":[{"c":1}],"d":null},"e":[]}` + "\n" + `{"a":{"b":[]},"e":[1.5]}`,
		"maps.ndjson":    `{"a":{"k1":1,"k2":2}}` + "\n" + `{"a":{"k3":3}}` + "\n" + `{"a":{}}`,
		"uuids.ndjson":   `{"a":"6f1c2a9e-0d9b-4a50-9a0a-3c8a0a1f0e11","b":1234567890123456789,"c":true}`,
		"sparse.ndjson":  `{"a":1}` + "\n" + `{"b":null}`,
		"array.json":     `[{"n":1,"s":"x"},{"n":2,"s":null}]`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p := madeFrom(t, path)
			rows := 0
			for line := range linesOf(t, path, p) {
				rows++
				ct, err := contract.New(&p.Spec.Outputs[0])
				if err != nil {
					t.Fatal(err)
				}
				d := ct.NewDecoder()
				if _, err := d.Append(line); err != nil {
					t.Errorf("%s breaks the contract: %v\n%+v", line, err, p.Spec.Outputs[0].Schema)
				}
			}
			if rows == 0 {
				t.Error("the file has no rows")
			}
		})
	}
}

func madeFrom(t *testing.T, path string) *product.Product {
	t.Helper()
	file, err := inferFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := file.Fit(scaffold.Answers{Name: "p", Domain: "d", Owner: "o"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := scaffold.Render(templates.Files(), scaffold.FromFile, a)
	if err != nil {
		t.Fatal(err)
	}
	p, problems := product.Parse(product.FileName, tree[product.FileName])
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

// linesOf is the file's rows as an import publishes them.
func linesOf(t *testing.T, path string, p *product.Product) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		ct, err := contract.New(&p.Spec.Outputs[0])
		if err != nil {
			t.Fatal(err)
		}
		rows, err := olap.ReadFile(t.Context(), path, olap.ReadOptions{Columns: ct.Schema(), Objects: true, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for {
			batch, err := rows.Next(context.Background())
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(batch.NumRows()) {
				line := []byte(nil)
				if filepath.Ext(path) == ".csv" {
					line, err = contract.AppendRow(nil, batch, i)
				} else {
					line = []byte(batch.Column(0).(*array.String).Value(i))
				}
				if err != nil || !yield(line) {
					return
				}
			}
			batch.Release()
		}
	}
}
