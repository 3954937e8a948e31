package tui

import (
	"fmt"
	"testing"

	"github.com/meshctl/meshctl/internal/serve"
)

// sizes are the terminals that the frames are drawn for.
func sizes() map[string][2]int {
	return map[string][2]int{"80x24": {80, 24}, "120x40": {120, 40}, "200x60": {200, 60}}
}

// Every view at every size, without colour.
func TestFrames(t *testing.T) {
	for name, size := range sizes() {
		t.Run(name, func(t *testing.T) {
			f := newFake(airline())
			f.letters = []serve.Letter{{Seq: 1, Time: noon, Reason: "delay: not a number: \"late\"", Origin: "in-flights-v1:17:3", Value: `{"delay":"late"}`}}
			for i := range 12 {
				f.records <- serve.Record{Seq: 1, Time: noon, Key: fmt.Sprint("SFO", i), Value: []byte(`{"flight":17,"origin":"SFO","delay":3}`)}
			}
			s := open(t, f, size[0], size[1])
			s.golden("tree-" + name)
			s.press("down", "down", "enter")
			s.until("newest record")
			s.golden("overview-" + name)
			for i, tab := range [][2]string{
				{"contract", "restricted"}, {"sample", "SFO"}, {"stream", "SFO11"}, {"lineage", "read by"}, {"consumers", "POSITION"}, {"dead", "not a number"},
			} {
				s.press(fmt.Sprint(i + 2))
				s.until(tab[1])
				s.fits()
				s.golden(tab[0] + "-" + name)
			}
			s.press("?")
			s.until("Keys here")
			s.fits()
			s.golden("help-" + name)
			s.press("esc", "e", "ctrl+r")
			s.until("3 rows in 12 ms")
			s.fits()
			s.golden("sql-" + name)
		})
	}
}
