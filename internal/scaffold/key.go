package scaffold

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/product"
)

// Keys is the columns that tell any two of the file's rows apart, each by itself, the
// likeliest key first.
func Keys(columns []Column, rows int64) []string {
	type candidate struct {
		name string
		rank int
	}
	var found []candidate
	for _, c := range columns {
		if rows > 0 && !c.Nullable && c.Distinct == rows && keyable(c.Type) {
			found = append(found, candidate{c.Name, keyRank(c)})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.rank - b.rank })
	var names []string
	for _, c := range found {
		names = append(names, c.name)
	}
	return names
}

// Pairs is the pairs of columns that may tell any two of the file's rows apart, the
// likeliest first. Only counting their values together can say that they do.
func Pairs(columns []Column, rows int64) [][]string {
	type candidate struct {
		pair []string
		rank int
	}
	var found []candidate
	for i, a := range columns {
		for _, b := range columns[:i] {
			enough := rows > 0 && a.Distinct > 1 && b.Distinct > 1 && a.Distinct >= (rows+b.Distinct-1)/b.Distinct
			if enough && !a.Nullable && !b.Nullable && keyable(a.Type) && keyable(b.Type) {
				found = append(found, candidate{[]string{b.Name, a.Name}, keyRank(a) + keyRank(b)})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.rank - b.rank })
	var pairs [][]string
	for _, c := range found {
		pairs = append(pairs, c.pair)
	}
	return pairs
}

// keyable says whether values of t can be a key: they have an order, and are equal
// only if they look equal.
func keyable(t arrow.DataType) bool {
	switch describe("", t).LogicalType {
	case product.TypeString, product.TypeInteger, product.TypeBoolean, product.TypeDate, product.TypeTimestamp:
		return true
	}
	return false
}

func keyRank(c Column) int {
	name := strings.ToLower(c.Name)
	switch {
	case name == "id" || name == "key" || name == "uuid" || name == "guid":
		return 0
	case strings.HasSuffix(name, "_id") || strings.HasSuffix(name, " id") || strings.HasSuffix(c.Name, "Id") || strings.HasSuffix(c.Name, "ID"):
		return 1
	case slices.Contains([]string{"code", "iata", "icao", "isin", "sku", "ean", "number", "no", "nr", "slug", "email"}, name) ||
		strings.HasSuffix(name, "_key") || strings.HasSuffix(name, "_code") || strings.HasSuffix(name, "_no"):
		return 2
	}
	switch describe("", c.Type).LogicalType {
	case product.TypeInteger, product.TypeString:
		return 3
	}
	return 4 // dates and times are unique by accident more often than by nature
}
