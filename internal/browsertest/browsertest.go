// Package browsertest looks at a page as a person does, in a real Chromium without a
// window. A page that reports an error, or does what its security policy forbids, fails
// its test.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Chromium is the browser. Where there is none the test is skipped, but not in continuous
// integration, which always has one.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if file, err := exec.LookPath(name); err == nil {
			return file
		}
	}
	if _, ci := os.LookupEnv("CI"); ci {
		t.Fatal("there is no chromium: apt-get install chromium")
	}
	t.Skip("install chromium to run this test")
	return ""
}

// Page is a page that is open.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string
	expected []string
}

// Look is how a page is looked at.
type Look struct {
	Width, Height int
	Dark          bool
}

// The two sizes that pages are looked at.
var (
	Desk  = Look{Width: 1280, Height: 800}
	Phone = Look{Width: 390, Height: 844}
)

// In is the look with a dark or a light background.
func (l Look) In(dark bool) Look {
	l.Dark = dark
	return l
}

// Open opens a page, which is closed when the test ends.
func Open(t testing.TB, url string, look Look) *Page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Chromium(t)), chromedp.NoSandbox, chromedp.WindowSize(look.Width, look.Height))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closePage := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		closePage()
		stop() // waits until the browser has ended
	})
	p := &Page{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, p.heard)
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	p.Do(log.Enable(), runtime.Enable(),
		emulation.SetDeviceMetricsOverride(int64(look.Width), int64(look.Height), 1, look.Width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Navigate(url))
	t.Cleanup(p.judge)
	return p
}

func (p *Page) heard(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			problem = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if problem != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.problems = append(p.problems, problem)
	}
}

// Expect lets errors pass that contain a text, such as an answer of 404 that is to come.
func (p *Page) Expect(text string) { p.expected = append(p.expected, text) }

// judge fails the test for what the page reported.
func (p *Page) judge() {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, problem := range p.problems {
		for _, text := range p.expected {
			if strings.Contains(problem, text) {
				continue next
			}
		}
		p.t.Errorf("the page reported: %s", problem)
	}
}

// limit is how long anything may take.
const limit = 20 * time.Second

// Do runs actions of chromedp.
func (p *Page) Do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := p.try(actions...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Page) try(actions ...chromedp.Action) error {
	if chromedp.FromContext(p.ctx).Target == nil { // the first call starts the browser, which lives as long as its context
		if err := chromedp.Run(p.ctx); err != nil {
			return fmt.Errorf("start chromium: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// Click clicks on the first element that a selector finds, once it is there to be seen.
func (p *Page) Click(selector string) {
	p.t.Helper()
	if err := p.try(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible)); err != nil {
		p.t.Fatalf("click %s: %v\n%s", selector, err, p.Text("body"))
	}
}

// Type puts a text into a field, in place of what it has.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.Click(selector)
	p.Do(chromedp.Evaluate(`document.activeElement.select()`, nil), input.InsertText(text))
}

// Choose chooses a value of a list.
func (p *Page) Choose(selector, value string) {
	p.t.Helper()
	p.Eval(fmt.Sprintf(`{ const s = document.querySelector(%q); s.value = %q; s.dispatchEvent(new Event("change")); }`, selector, value), nil)
}

// Press presses keys where the focus is.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	special := map[string]string{"enter": kb.Enter, "esc": kb.Escape, "down": kb.ArrowDown, "up": kb.ArrowUp, "left": kb.ArrowLeft, "right": kb.ArrowRight}
	for _, k := range keys {
		if name, ok := special[k]; ok {
			p.Do(chromedp.KeyEvent(name))
			continue
		}
		down := input.DispatchKeyEvent(input.KeyDown).WithKey(k).WithText(k) // a page that takes the key keeps it from being typed
		p.Do(down, input.DispatchKeyEvent(input.KeyUp).WithKey(k))
	}
}

// Eval gives the value of an expression.
func (p *Page) Eval(expression string, to any) {
	p.t.Helper()
	p.Do(chromedp.Evaluate(expression, to))
}

// Text is what can be read in the first element that a selector finds, "" without one.
func (p *Page) Text(selector string) (text string) {
	p.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Eval(fmt.Sprintf(`(e => e ? e.innerText ?? e.textContent : "")(document.querySelector(%s))`, quoted), &text)
	return text
}

// Title is the page's title.
func (p *Page) Title() (title string) {
	p.t.Helper()
	p.Do(chromedp.Title(&title))
	return title
}

// Until waits until an element has a text in it.
func (p *Page) Until(selector, text string) {
	p.t.Helper()
	got := ""
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-again.C {
		if got = p.Text(selector); strings.Contains(got, text) {
			return
		}
	}
	p.t.Fatalf("%s does not say %q, but: %s", selector, text, got)
}

// Shot takes a picture of what is seen, which go test -artifacts keeps.
func (p *Page) Shot(name string) {
	p.t.Helper()
	var png []byte
	p.Do(chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
