package theme

import (
	"math"
	"strconv"
	"testing"
)

// luminance is that of WCAG 2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= 0.03928 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n>>16) + 0.7152*channel(n>>8) + 0.0722*channel(n)
}

// Every colour of every theme can be read on its background, also text on the cursor.
func TestThemesCanBeRead(t *testing.T) {
	contrast := func(a, b string) float64 {
		x, y := luminance(t, a), luminance(t, b)
		return (max(x, y) + 0.05) / (min(x, y) + 0.05)
	}
	for _, th := range All() {
		if th.Name == "mono" {
			continue
		}
		for background, p := range map[string]Palette{"#101418": th.Dark, "#FFFFFF": th.Light} {
			for name, c := range map[string]string{"accent": p.Accent, "good": p.Good, "warning": p.Warning, "bad": p.Bad, "dim": p.Dim} {
				if r := contrast(c, background); r < 4.5 {
					t.Errorf("%s: %s %s on %s has a contrast of %.1f; want 4.5", th.Name, name, c, background, r)
				}
			}
			if r := contrast(p.OnAccent, p.Accent); r < 4.5 {
				t.Errorf("%s: text on the cursor has a contrast of %.1f on %s", th.Name, r, background)
			}
		}
	}
	if _, ok := Named(""); !ok || Names()[0] != "okabe" {
		t.Error("the default theme is another")
	}
}
