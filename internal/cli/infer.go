package cli

import (
	"context"

	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/scaffold"
)

// inferFile reads the whole file, so that no row is a surprise to its schema.
func inferFile(ctx context.Context, path string) (scaffold.File, error) {
	columns, rows, err := olap.Infer(ctx, path)
	if err != nil {
		return scaffold.File{}, err
	}
	file := scaffold.File{Path: path, Rows: rows, Combined: func(columns []string) (int64, error) {
		return olap.Distinct(ctx, path, columns)
	}}
	for _, c := range columns {
		file.Columns = append(file.Columns, scaffold.Column{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Distinct: c.Distinct})
	}
	return file, nil
}
