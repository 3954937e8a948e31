package tui

import (
	"image/color"
	"slices"

	"charm.land/lipgloss/v2"
)

// palette is a theme's colours on one kind of background. A colour never stands alone:
// what it says is also said by a sign or a word.
type palette struct {
	accent, good, warning, bad, dim string
	onAccent                        string // text on the accent
	chosen                          string // behind the chosen line where the keys go elsewhere
}

// theme is how the screens look. The first is the default; its colours are those of
// Okabe and Ito, which people with any kind of colour blindness tell apart, made lighter
// or darker as the background needs.
type theme struct {
	name        string
	does        string
	dark, light palette
}

func themes() []theme {
	return []theme{
		{"okabe", "the default, for every kind of colour vision",
			palette{accent: "#56B4E9", good: "#2FC79A", warning: "#E69F00", bad: "#FF7F4D", dim: "#8A8F98", onAccent: "#10161C", chosen: "#2B3640"},
			palette{accent: "#005A8F", good: "#00694C", warning: "#8A5A00", bad: "#B23C00", dim: "#6A6F76", onAccent: "#FFFFFF", chosen: "#DCE6EE"}},
		{"forest", "green and calm",
			palette{accent: "#9ECE6A", good: "#73DACA", warning: "#E0AF68", bad: "#F7768E", dim: "#7D8590", onAccent: "#10161C", chosen: "#2C3A2C"},
			palette{accent: "#33691E", good: "#00695C", warning: "#8A5A00", bad: "#B3261E", dim: "#6A6F76", onAccent: "#FFFFFF", chosen: "#E3EEDC"}},
		{"contrast", "as clear as the terminal can",
			palette{accent: "#FFFFFF", good: "#FFFFFF", warning: "#FFFF00", bad: "#FF6060", dim: "#C8C8C8", onAccent: "#000000", chosen: "#404040"},
			palette{accent: "#000000", good: "#000000", warning: "#7A4A00", bad: "#A00000", dim: "#404040", onAccent: "#FFFFFF", chosen: "#D0D0D0"}},
		{"mono", "no colour at all", palette{}, palette{}},
	}
}

// Themes are the names of all themes, the default first.
func Themes() []string {
	var names []string
	for _, t := range themes() {
		names = append(names, t.name)
	}
	return names
}

func themeNamed(name string) (theme, bool) {
	all := themes()
	i := slices.IndexFunc(all, func(t theme) bool { return t.name == name })
	if i < 0 {
		return all[0], name == ""
	}
	return all[i], true
}

// styles are a theme on the terminal's background.
type styles struct {
	roles       [roles]lipgloss.Style
	chosen, lit lipgloss.Style
}

func (t theme) styles(dark bool) *styles {
	p := t.light
	if dark {
		p = t.dark
	}
	st := &styles{}
	for r, hex := range map[role]string{dim: p.dim, accent: p.accent, good: p.good, warning: p.warning, bad: p.bad} {
		st.roles[r] = lipgloss.NewStyle().Foreground(colour(hex))
	}
	st.roles[plain] = lipgloss.NewStyle()
	st.roles[strong] = lipgloss.NewStyle().Bold(true)
	if p.accent == "" { // attributes alone tell things apart
		st.roles[dim] = st.roles[dim].Faint(true)
		st.roles[accent] = st.roles[accent].Bold(true)
		st.roles[bad] = st.roles[bad].Bold(true)
		st.lit = lipgloss.NewStyle().Reverse(true)
		st.chosen = lipgloss.NewStyle().Underline(true)
		return st
	}
	st.lit = lipgloss.NewStyle().Foreground(colour(p.onAccent)).Background(colour(p.accent))
	st.chosen = lipgloss.NewStyle().Background(colour(p.chosen))
	return st
}

func colour(hex string) color.Color {
	if hex == "" {
		return lipgloss.NoColor{}
	}
	return lipgloss.Color(hex)
}
