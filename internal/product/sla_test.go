package product

import (
	"testing"
	"time"
)

func TestPromised(t *testing.T) {
	o := Output{SLA: []SLAProperty{
		{Property: "availability", Value: 99.9},
		{Property: "freshness", Value: int64(5), Unit: "m"},
		{Property: "latency", Value: 1.5, Unit: "hours"},
		{Property: "retention", Value: "long", Unit: "d"},
	}}
	for property, want := range map[string]time.Duration{
		"freshness": 5 * time.Minute, "latency": 90 * time.Minute, "availability": 0, "retention": 0, "frequency": 0,
	} {
		if got, ok := o.Promised(property); got != want || ok != (want > 0) {
			t.Errorf("%s = %v, %v; want %v", property, got, ok, want)
		}
	}
}
