package catalog

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// entry makes a product with ports called as addresses say, in the order given.
func entry(name string, addresses ...string) Entry {
	e := Entry{Product: product.Product{Metadata: product.Metadata{Name: name, Domain: "aviation"}}}
	for _, a := range addresses {
		id, err := product.ParsePort(a)
		if err != nil {
			panic(err)
		}
		id.Major = max(id.Major, 1)
		e.Ports = append(e.Ports, Port{Address: id.String(), Major: id.Major, Output: product.Output{Name: id.Port}})
	}
	return e
}

func TestPort(t *testing.T) {
	c := Catalog{
		entry("flights", "flights.flights", "flights.flights@10", "flights.flights@9", "flights.delays"),
		entry("airports", "airports.places", "airports.places@2"),
		entry("crews", "crews.pilots", "crews.stewards"),
		entry("young"),
	}
	for _, tt := range []struct {
		address, want string // want is empty for NotFound
		hint          string
	}{
		{address: "flights.flights", want: "flights.flights@10"},
		{address: "flights", want: "flights.flights@10"},
		{address: "flights.flights@9", want: "flights.flights@9"},
		{address: "flights@v9", want: "flights.flights@9"},
		{address: "flights@1", want: "flights.flights"},
		{address: "flights.delays", want: "flights.delays"},
		{address: "flights.flights@3", hint: "flights.flights@9, flights.delays"},
		{address: "airports", want: "airports.places@2"},
		{address: "airports@1", want: "airports.places"},
		{address: "airports@2", want: "airports.places@2"},
		{address: "airports@3", hint: "airports.places"},
		{address: "airports.airports", hint: "airports.places@2"},
		{address: "crews", hint: "crews.pilots, crews.stewards"},
		{address: "young", hint: "wait"},
		{address: "trains.trains", hint: "catalog ls"},
	} {
		e, p, err := c.Port(tt.address)
		if tt.want == "" {
			if fault.KindOf(err) != fault.NotFound || !strings.Contains(fault.HintOf(err), tt.hint) {
				t.Errorf("Port(%q) = %v, hint %q; want NotFound, hint with %q", tt.address, err, fault.HintOf(err), tt.hint)
			}
			continue
		}
		if err != nil || p.Address != tt.want || e.ID(p).String() != tt.want {
			t.Errorf("Port(%q) = %+v, %v; want %s", tt.address, p, err, tt.want)
		}
	}
	for _, address := range []string{"", "Flights", "flights.flights@0", "flights.flights@x", "a.b.c"} {
		if _, _, err := c.Port(address); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Port(%q) = %v; want Invalid", address, err)
		}
	}
	if _, _, err := (Catalog{}).Port("flights"); !strings.Contains(fault.HintOf(err), "meshctl up") {
		t.Errorf("hint of an empty catalog = %q", fault.HintOf(err))
	}
}

func TestPortIsTheCatalogsOwn(t *testing.T) {
	c := Catalog{entry("flights", "flights.flights")}
	e, p, err := c.Port("flights")
	if err != nil || e != &c[0] || p != &c[0].Ports[0] {
		t.Fatalf("Port = %p, %p, %v; want the catalog's own %p, %p", e, p, err, &c[0], &c[0].Ports[0])
	}
}

func TestProductAndSort(t *testing.T) {
	c := Catalog{entry("c"), entry("a"), entry("b")}
	c.Sort()
	var names []string
	for _, e := range c {
		names = append(names, e.Product.Metadata.Name)
	}
	if !reflect.DeepEqual(names, []string{"a", "b", "c"}) {
		t.Errorf("sorted = %v", names)
	}
	if e := c.Product("b"); e != &c[1] {
		t.Errorf("Product(b) = %v", e)
	}
	if e := c.Product("d"); e != nil {
		t.Errorf("Product(d) = %v; want nil", e)
	}
}

func TestGone(t *testing.T) {
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := Entry{Seen: seen}
	if e.Gone(seen.Add(3 * HeartbeatEvery)) {
		t.Error("gone after exactly three heartbeats; want one more moment")
	}
	if !e.Gone(seen.Add(3*HeartbeatEvery + 1)) {
		t.Error("not gone after more than three heartbeats")
	}
	if e.Gone(seen.Add(-time.Hour)) {
		t.Error("gone by a clock that is behind")
	}
	if !(&Entry{}).Gone(seen) {
		t.Error("a product that was never seen is not gone")
	}
}
