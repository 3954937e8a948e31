// Package linktest is a TCP connection between two servers that a test can cut, or
// silence, as networks do.
package linktest

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// Link passes on what comes in at its own address, until it is told otherwise.
type Link struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu     sync.Mutex
	passes sync.Cond
	cut    bool
	silent bool
	conns  map[net.Conn]bool
}

// New is a link to the server at a URL. It ends with the test.
func New(t testing.TB, to string) *Link {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{to: u.Host, conns: map[net.Conn]bool{}}
	l.passes.L = &l.mu
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.wg.Go(l.accept)
	t.Cleanup(func() {
		l.listener.Close()
		l.Set(true, false)
		l.wg.Wait()
	})
	return l
}

// URL is where leaves join through the link.
func (l *Link) URL() string { return "nats-leaf://" + l.listener.Addr().String() }

// Set cuts the link, silences it so that connections stay open and nothing passes, or,
// with neither, lets it work.
func (l *Link) Set(cut, silent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.silent = cut, silent
	if cut {
		for c := range l.conns {
			c.Close()
		}
		clear(l.conns)
	}
	l.passes.Broadcast()
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			near.Close()
			continue
		}
		if !l.keep(near, far) {
			near.Close()
			far.Close()
			continue
		}
		l.wg.Go(func() { l.pass(near, far) })
		l.wg.Go(func() { l.pass(far, near) })
	}
}

func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return false
	}
	for _, c := range conns {
		l.conns[c] = true
	}
	return true
}

func (l *Link) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		for l.silent && !l.cut {
			l.passes.Wait()
		}
		l.mu.Unlock()
		if _, wrote := to.Write(buf[:n]); err != nil || wrote != nil {
			return
		}
	}
}
