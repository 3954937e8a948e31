package tui

import (
	"context"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// BenchmarkFirstPaint is from the catalog of 1,000 products to the first frame that shows them.
func BenchmarkFirstPaint(b *testing.B) {
	all := crowd(1000)
	for b.Loop() {
		m := newModel(b.Context(), newFake(nil), Options{Now: func() time.Time { return noon }, Color: true})
		m.update(tea.WindowSizeMsg{Width: 200, Height: 60})
		m.watch = startFeed(m, m.nothing, nil)
		m.update(watchMsg{changes: []change{{all: all, whole: true}}})
		if f := m.View().Content; !strings.Contains(f, "1,000 products") {
			b.Fatal(f)
		}
	}
}

// BenchmarkChange is one heartbeat among 1,000 products, to the next frame.
func BenchmarkChange(b *testing.B) {
	all := crowd(1000)
	m := newModel(b.Context(), newFake(nil), Options{Now: func() time.Time { return noon }, Color: true})
	m.update(tea.WindowSizeMsg{Width: 200, Height: 60})
	m.watch = startFeed(m, m.nothing, nil)
	m.update(watchMsg{changes: []change{{all: all, whole: true}}})
	for b.Loop() {
		one := all[500]
		m.update(watchMsg{changes: []change{{name: one.Product.Metadata.Name, entry: &one}}})
		if f := m.View().Content; f == "" {
			b.Fatal("no frame")
		}
	}
}

// nothing is a call that brings nothing.
func (m *Model) nothing(ctx context.Context, _ func(change) error) error {
	<-ctx.Done()
	return ctx.Err()
}
