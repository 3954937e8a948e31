package tui

import (
	"image/color"

	"charm.land/lipgloss/v2"

	"github.com/meshctl/meshctl/internal/theme"
)

// styles are a theme on the terminal's background.
type styles struct {
	roles       [roles]lipgloss.Style
	chosen, lit lipgloss.Style
}

func stylesOf(t theme.Theme, dark bool) *styles {
	p := t.Light
	if dark {
		p = t.Dark
	}
	st := &styles{}
	for r, hex := range map[role]string{dim: p.Dim, accent: p.Accent, good: p.Good, warning: p.Warning, bad: p.Bad} {
		st.roles[r] = lipgloss.NewStyle().Foreground(colour(hex))
	}
	st.roles[plain] = lipgloss.NewStyle()
	st.roles[strong] = lipgloss.NewStyle().Bold(true)
	if p.Accent == "" { // attributes alone tell things apart
		st.roles[dim] = st.roles[dim].Faint(true)
		st.roles[accent] = st.roles[accent].Bold(true)
		st.roles[bad] = st.roles[bad].Bold(true)
		st.lit = lipgloss.NewStyle().Reverse(true)
		st.chosen = lipgloss.NewStyle().Underline(true)
		return st
	}
	st.lit = lipgloss.NewStyle().Foreground(colour(p.OnAccent)).Background(colour(p.Accent))
	st.chosen = lipgloss.NewStyle().Background(colour(p.Chosen))
	return st
}

func colour(hex string) color.Color {
	if hex == "" {
		return lipgloss.NoColor{}
	}
	return lipgloss.Color(hex)
}
