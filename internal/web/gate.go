package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
)

// policy lets the page load its own files and ask its own server, and nothing else.
// Trusted types make it impossible to parse text as markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// gate lets in only who has the token, and only to the page's own requests.
type gate struct {
	token  string
	cookie string
	next   http.Handler
}

// newGate names the cookie by the token: browsers share cookies among the ports of a host,
// and two pages must not take each other's away.
func newGate(token string, next http.Handler) *gate {
	sum := sha256.Sum256([]byte(token))
	return &gate{token: token, cookie: "meshctl-" + base64.RawURLEncoding.EncodeToString(sum[:6]), next: next}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch given := r.URL.Query().Get("token"); {
	case !serve.LoopbackHost(r.Host):
		serve.WriteProblem(w, fault.New(fault.Denied, "open the address that meshctl ui --web wrote", "host %q is not this machine", r.Host))
	case foreign(r):
		serve.WriteProblem(w, fault.New(fault.Denied, "open the address that meshctl ui --web wrote", "another page may not ask this"))
	case r.URL.Path == "/" && given != "" && same(given, g.token):
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther) // so that the token stays in no history
	case !g.known(r):
		g.refuse(w, r)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// foreign says whether a request was made by another page than this server's. Coming here
// by a link is no such request.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "": // no browser of these days
		origin := r.Header.Get("Origin")
		return origin != "" && origin != "http://"+r.Host
	}
	return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

func (g *gate) known(r *http.Request) bool {
	if c, err := r.Cookie(g.cookie); err == nil && same(c.Value, g.token) {
		return true
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && same(bearer, g.token)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuse answers who has no token: a person with a page, a program with a problem.
func (g *gate) refuse(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		serve.WriteProblem(w, fault.New(fault.Denied, "open the address that meshctl ui --web wrote, with its token", "there is no token"))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(locked)) // who does not listen is not told
}

const locked = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>meshctl</title>
<h1>This page needs its token</h1>
<p>Open the whole address that <code>meshctl ui --web</code> wrote where it was started. It has a new token each time.</p>
</html>
`
