// Package web is the page of meshctl ui --web: the catalog in a browser, read-only, with
// search, contracts, lineage drawn, sample rows and SQL with charts, as it changes.
//
// The page is plain HTML, CSS and JavaScript below static, without a build step and
// without anything from elsewhere. It makes every element by hand, so text from the mesh
// is never markup; its content security policy forbids what it does not need, which is
// nearly everything. Lists come whole or not at all: what is cut says so.
//
// What can be had here reaches as far as the person who started it, so nobody else may:
// it listens on loopback only, wants a random token, answers to names of this machine only
// (against DNS rebinding) and to its own page only (against other pages of this machine).
package web

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/serve"
)

//go:embed static
var static embed.FS

// Options say how the page is to be.
type Options struct {
	Port    int // on 127.0.0.1; 0 takes any free one
	Now     func() time.Time
	Started func(url string) error // is told where the page is, with the token
}

// Run serves the page until ctx ends, which is no error. What was begun has ended when it
// returns. A port that is taken is a Conflict.
func Run(ctx context.Context, mesh browse.Mesh, o Options) (err error) {
	token := rand.Text()
	l := newLive(mesh, o.Now)
	h := newHandler(l, mesh, token)
	s, err := serve.Listen(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)), h)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if closed := s.Close(closing); !errors.Is(closed, context.DeadlineExceeded) { // a query that was cut is no news
			err = errors.Join(err, closed)
		}
	}()
	if err := o.Started(s.Addr() + "/?token=" + url.QueryEscape(token)); err != nil {
		return err
	}
	l.run(ctx)
	return nil
}

// newHandler is the page and what it asks.
func newHandler(l *live, mesh browse.Mesh, token string) http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(fmt.Sprint("the page is not embedded: ", err)) // a defect of the build
	}
	p := &page{live: l, mesh: mesh}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/live", l.events)
	mux.HandleFunc("GET /api/product/{name}", answer(p.product))
	mux.HandleFunc("GET /api/search", answer(p.search))
	mux.HandleFunc("GET /api/lineage", answer(p.lineage))
	mux.HandleFunc("GET /api/sample/{address}", answer(p.sample))
	mux.HandleFunc("POST /api/query", answer(p.query))
	return newGate(token, mux)
}
