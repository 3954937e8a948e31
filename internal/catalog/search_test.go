package catalog

import (
	"reflect"
	"testing"

	"github.com/meshctl/meshctl/internal/product"
)

func names(hits []Hit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.Entry.Product.Metadata.Name)
	}
	return out
}

// library is a catalog in which each product says "origin" at a place of another worth.
func library() Catalog {
	described := entry("described", "described.described")
	described.Product.Metadata.Description = "origin"
	described.Ports[0].Output.Description = "Where the Origin is told."
	column := entry("columns", "columns.columns")
	for _, name := range []string{"origin_a", "origin_b", "origin_c", "origin_d", "origin_e", "origin_f", "origin_g", "origin_h"} {
		column.Ports[0].Output.Schema = append(column.Ports[0].Output.Schema, product.Column{Name: name, Description: "an origin"})
	}
	port := entry("ports", "ports.origins")
	tagged := entry("tagged", "tagged.tagged")
	tagged.Product.Metadata.Tags = []string{"origins"}
	named := entry("origin-of-all", "origin-of-all.rows")
	exact := entry("origin", "origin.origin")
	other := entry("other", "other.other")
	return Catalog{described, column, port, tagged, named, other, exact}
}

func TestSearchRanks(t *testing.T) {
	want := []string{"origin", "origin-of-all", "ports", "tagged", "columns", "described"}
	if got := names(library().Search("ORIGIN")); !reflect.DeepEqual(got, want) {
		t.Errorf("Search = %v; want %v", got, want)
	}
}

func TestSearchWantsEveryWord(t *testing.T) {
	c := library()
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"origin columns", []string{"columns"}},
		{"  Columns\tORIGIN_c ", []string{"columns"}},
		{"origin nowhere", []string{}},
		{"aviation other", []string{"other"}},
	} {
		if got := names(c.Search(tt.query)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Search(%q) = %v; want %v", tt.query, got, tt.want)
		}
	}
	if got := names(c.Search("")); len(got) != len(c) || got[0] != "columns" {
		t.Errorf(`Search("") = %v; want all, by name`, got)
	}
}

func TestSearchPlaces(t *testing.T) {
	e := entry("trips", "trips.trips")
	e.Product.Metadata.Description = "every stop of a trip"
	e.Product.Metadata.Owner = "stop@example.com"
	e.Ports[0].Output.Schema = []product.Column{
		{Name: "vehicle", BusinessName: "Bus", Tags: []string{"rolling-stock"}, Classification: "restricted"},
		{Name: "stops", LogicalType: product.TypeArray, Items: &product.Column{
			LogicalType: product.TypeObject,
			Properties:  []product.Column{{Name: "platform", Description: "where to stop"}},
		}},
	}
	c := Catalog{e}
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"stop", []string{"owner", "column trips.trips.stops", "description", "description of trips.trips.stops.platform"}},
		{"platform", []string{"column trips.trips.stops.platform"}},
		{"bus", []string{"column trips.trips.vehicle"}},
		{"rolling-stock", []string{"column trips.trips.vehicle"}},
		{"restricted", []string{"classification of trips.trips.vehicle"}},
		{"platform vehicle", []string{"column trips.trips.stops.platform", "column trips.trips.vehicle"}},
	} {
		hits := c.Search(tt.query)
		if len(hits) != 1 || !reflect.DeepEqual(hits[0].Places, tt.want) {
			t.Errorf("Search(%q) = %+v; want places %q", tt.query, hits, tt.want)
		}
	}
}
