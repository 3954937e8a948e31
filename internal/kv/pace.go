package kv

import (
	"strings"
	"sync"
	"time"
)

// Badger merges level 0 in bursts, on as many goroutines as it likes, and every step of a
// commit or a get would queue behind them: under half of the highest rate one in a hundred
// records took 1.4 s to be visible instead of 0.3 s. It knows no rate, but it tells its
// diary each table that it has built, on the goroutine that builds them: that one pauses.
const (
	tableBuilt    = "LOG Compact. Added"
	longestPause  = 40 * time.Millisecond   // a table takes about 8 ms of a core to build
	unpacedTables = levelZeroTables * 3 / 2 // in level 0: merging is late, and goes on at full speed
)

// pacer makes compactions pause between tables.
type pacer struct {
	longest time.Duration
	waiting func() int // tables of level 0

	turn sync.Mutex // the goroutines of a compaction pause one after the other

	mu      sync.Mutex
	hurried int
	now     chan struct{} // closed while hurried
}

func newPacer(longest time.Duration) *pacer {
	return &pacer{longest: longest, waiting: func() int { return unpacedTables }, now: make(chan struct{})}
}

// start begins to pace, once level 0 can be asked for its tables.
func (p *pacer) start(waiting func() int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = waiting
}

// heard takes in a message of Badger's diary.
func (p *pacer) heard(format string) {
	if !strings.Contains(format, tableBuilt) {
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	now, waiting := p.now, p.waiting
	p.mu.Unlock()
	wait := time.NewTimer(p.pause(waiting()))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-now:
	}
}

// pause is the shorter the more tables level 0 has gathered meanwhile.
func (p *pacer) pause(tables int) time.Duration {
	spare := min(unpacedTables-levelZeroTables, unpacedTables-tables)
	return max(0, p.longest*time.Duration(spare)/(unpacedTables-levelZeroTables))
}

// hurry ends pauses, for one who waits for a compaction, until relax is called.
func (p *pacer) hurry() (relax func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hurried++; p.hurried == 1 {
		close(p.now)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.hurried--; p.hurried == 0 {
			p.now = make(chan struct{})
		}
	}
}
