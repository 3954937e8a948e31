package pipeline

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwaitReturnsWhenEveryStoreHasWhatCameOfTheInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProgress()
		done := make(chan error, 1)
		go func() { done <- p.Await(t.Context(), "in", 5) }()
		for _, step := range []func(){
			func() { p.setReached("other", 9, 3) }, func() { p.setReached("in", 4, 6) },
			func() { p.setVisible(7) }, func() { p.setReached("in", 5, 8) },
		} {
			step()
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("returned too early: %v", err)
			default:
			}
		}
		p.setVisible(8)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		p.setVisible(1) // a store that is made again
		if err := p.Await(t.Context(), "in", 5); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Await(ctx, "in", 6); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v, want the context's error", err)
		}
	})
}

func TestSuperviseStartsAgainWithALongerPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var pauses []time.Duration
		var last time.Time
		reports, errs := 0, 0
		Supervise(ctx, quiet, "step", func(err error) {
			if reports++; err != nil {
				errs++
			}
		}, func(context.Context) error {
			if !last.IsZero() {
				pauses = append(pauses, time.Since(last))
			}
			switch len(pauses) {
			case 10:
				time.Sleep(2 * time.Minute) // a run that lasts
			case 11:
				cancel()
			}
			last = time.Now()
			return errCrash
		})
		ms := time.Millisecond
		want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10_000 * ms, 10_000 * ms, 10_000 * ms, 100 * ms}
		for i := range want {
			if i >= len(pauses) || pauses[i] != want[i] {
				t.Fatalf("pauses %v, want %v", pauses, want)
			}
		}
		if reports != 2*len(want)+1 || errs != len(want) {
			t.Errorf("%d reports, %d of errors", reports, errs)
		}
	})
}
