package web

import (
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// caller asks the server as a program would.
type caller struct {
	t     *testing.T
	base  string
	token string
}

func call(t *testing.T, address string) caller {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return caller{t: t, base: "http://" + u.Host, token: u.Query().Get("token")}
}

// do sends a request, with the token but for one that sets Authorization.
func (c caller) do(method, path, body string, headers ...string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(text)
}

// Nobody but who has the token gets in, and no page but this one.
func TestGate(t *testing.T) {
	address, _ := start(t, inn())
	c := call(t, address)
	first, _ := c.do("GET", "/?token="+c.token, "", "Authorization", "")
	cookie := first.Header.Get("Set-Cookie")
	if first.StatusCode != http.StatusSeeOther || first.Header.Get("Location") != "/" || !strings.Contains(cookie, "; HttpOnly; SameSite=Strict") {
		t.Fatalf("the first visit: %s, to %q, cookie %q", first.Status, first.Header.Get("Location"), cookie)
	}
	cookie, _, _ = strings.Cut(cookie, ";")
	port := c.base[strings.LastIndex(c.base, ":"):]
	for _, k := range []struct {
		what, path string
		headers    []string
		status     int
	}{
		{"by the token", "/api/search", nil, 200},
		{"by the cookie", "/api/search", []string{"Authorization", "", "Cookie", cookie}, 200},
		{"the page by the cookie", "/", []string{"Authorization", "", "Cookie", cookie, "Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200},
		{"the page by a link elsewhere", "/", []string{"Authorization", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"its own request", "/api/search", []string{"Authorization", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		{"no token", "/", []string{"Authorization", ""}, 403},
		{"no token for a file", "/app.js", []string{"Authorization", ""}, 403},
		{"no token for the catalog", "/api/search", []string{"Authorization", ""}, 403},
		{"another token", "/api/search", []string{"Authorization", "Bearer x" + c.token[1:]}, 403},
		{"another token at first", "/?token=x", []string{"Authorization", ""}, 403},
		{"another cookie", "/api/search", []string{"Authorization", "", "Cookie", cookie[:len(cookie)-1] + "x"}, 403},
		{"the token at another path", "/api/search?token=" + c.token, []string{"Authorization", ""}, 403},
		{"a name that leads here", "/", []string{"Host", "evil.example" + port}, 403},
		{"localhost", "/", []string{"Host", "localhost" + port}, 200},
		{"another page of this machine", "/api/search", []string{"Authorization", "", "Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 403},
		{"another page", "/api/search", []string{"Authorization", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 403},
		{"another page of an old browser", "/api/search", []string{"Authorization", "", "Cookie", cookie, "Origin", "http://127.0.0.1:1"}, 403},
		{"another page that embeds this one", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"a link to what is no page", "/api/search", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"nothing there", "/etc/passwd", nil, 404},
	} {
		resp, text := c.do("GET", k.path, "", k.headers...)
		if resp.StatusCode != k.status {
			t.Errorf("%s: %s, want %d: %s", k.what, resp.Status, k.status, text)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || k.status != 404 && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the headers are %v", k.what, resp.Header)
		}
		if strings.Contains(text, c.token) {
			t.Errorf("%s: the answer has the token", k.what)
		}
	}
	if again, _ := start(t, inn()); again == address || call(t, again).token == c.token {
		t.Error("two pages have one token")
	}
}

// The page needs nothing from elsewhere, nothing inline, and never takes text for markup.
func TestPageIsItsOwn(t *testing.T) {
	never := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|javascript:|<style|<script[^>]*>[^<]|\sstyle=|\son[a-z]+="|//[a-z0-9-]+\.[a-z]`)
	err := fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(static, name)
		if err != nil {
			return err
		}
		own := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		for _, found := range never.FindAllString(own, -1) {
			t.Errorf("%s has %q", name, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !never.MatchString(`<p onclick="x()">`) || !never.MatchString("import x from 'https://cdn.example'") {
		t.Error("the pattern finds nothing")
	}
}

func portNumber(t *testing.T, base string) int {
	t.Helper()
	port, err := strconv.Atoi(base[strings.LastIndex(base, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return port
}
