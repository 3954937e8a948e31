// Package theme is the colours of what is drawn on a terminal, for dark and for light
// backgrounds, as hexadecimal values.
package theme

import "slices"

// Palette is a theme's colours on one kind of background. A colour never stands alone:
// what it says is also said by a sign or a word.
type Palette struct {
	Accent, Good, Warning, Bad, Dim string
	OnAccent                        string // text on the accent
	Chosen                          string // behind the chosen line where the keys go elsewhere
}

// Theme is how the screens look. The first is the default; its colours are those of
// Okabe and Ito, which people with any kind of colour blindness tell apart, made lighter
// or darker as the background needs.
type Theme struct {
	Name        string
	Does        string // in a few words
	Dark, Light Palette
}

// All are the themes, the default first.
func All() []Theme {
	return []Theme{
		{"okabe", "the default, for every kind of colour vision",
			Palette{Accent: "#56B4E9", Good: "#2FC79A", Warning: "#E69F00", Bad: "#FF7F4D", Dim: "#8A8F98", OnAccent: "#10161C", Chosen: "#2B3640"},
			Palette{Accent: "#005A8F", Good: "#00694C", Warning: "#8A5A00", Bad: "#B23C00", Dim: "#6A6F76", OnAccent: "#FFFFFF", Chosen: "#DCE6EE"}},
		{"forest", "green and calm",
			Palette{Accent: "#9ECE6A", Good: "#73DACA", Warning: "#E0AF68", Bad: "#F7768E", Dim: "#7D8590", OnAccent: "#10161C", Chosen: "#2C3A2C"},
			Palette{Accent: "#33691E", Good: "#00695C", Warning: "#8A5A00", Bad: "#B3261E", Dim: "#6A6F76", OnAccent: "#FFFFFF", Chosen: "#E3EEDC"}},
		{"contrast", "as clear as the terminal can",
			Palette{Accent: "#FFFFFF", Good: "#FFFFFF", Warning: "#FFFF00", Bad: "#FF6060", Dim: "#C8C8C8", OnAccent: "#000000", Chosen: "#404040"},
			Palette{Accent: "#000000", Good: "#000000", Warning: "#7A4A00", Bad: "#A00000", Dim: "#404040", OnAccent: "#FFFFFF", Chosen: "#D0D0D0"}},
		{"mono", "no colour at all", Palette{}, Palette{}},
	}
}

// Names are the names of all themes, the default first.
func Names() []string {
	var names []string
	for _, t := range All() {
		names = append(names, t.Name)
	}
	return names
}

// Named is the theme of that name, the default for "".
func Named(name string) (Theme, bool) {
	all := All()
	i := slices.IndexFunc(all, func(t Theme) bool { return t.Name == name })
	if i < 0 {
		return all[0], name == ""
	}
	return all[i], true
}
