package web

import (
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/browsertest"
	"github.com/meshctl/meshctl/internal/fault"
)

// looks are how the page is looked at.
func looks() map[string]browsertest.Look {
	return map[string]browsertest.Look{
		"desk light": browsertest.Desk.In(false), "desk dark": browsertest.Desk.In(true),
		"phone light": browsertest.Phone.In(false), "phone dark": browsertest.Phone.In(true),
	}
}

// Text from the mesh is shown as it is, wherever it is shown, and never is markup.
func TestPageShowsWhatThereIs(t *testing.T) {
	for name, look := range looks() {
		t.Run(name, func(t *testing.T) {
			address, _ := start(t, inn())
			p := browsertest.Open(t, address, look)
			p.Until("#status", "●")
			p.Until("main .tiles", "168")
			p.Until("main table", "dead letters")
			p.Until("main svg", "nights.nights")
			p.Shot("mesh")
			p.Type("#words", "restricted")
			p.Until("main h1", "Search: restricted")
			p.Until("main", "classification of guests.guests.guest")
			p.Until("main .hits", hostile)
			p.Shot("search")
			p.Click(`.hit a[href="#/guests"]`)
			p.Until("main h1", "guests.guests")
			p.Until("main", "▲ 2 wait")
			p.Until("main", "nights team-house ● up to record 42")
			p.Shot("overview")
			p.Click(".tabs a:nth-child(2)")
			p.Until("main table", "restricted")
			p.Until("main table", hostile)
			p.Shot("contract")
			p.Click(".tabs a:nth-child(3)")
			p.Until("main .rows", hostile)
			p.Until("main .rows .null", "NULL")
			p.Shot("sample")
			p.Click(".tabs a:nth-child(4)")
			p.Until("main svg .asked", "guests.guests")
			p.Until("main", "bills.bills")
			p.Shot("lineage")
			if title := p.Title(); strings.Contains(title, "taken") {
				t.Error("text from the mesh was run")
			}
			wide := false
			p.Eval(`document.documentElement.scrollWidth > innerWidth`, &wide)
			if wide {
				t.Error("the page is wider than the window")
			}
		})
	}
}

func TestPageAnswersSQL(t *testing.T) {
	for name, look := range looks() {
		t.Run(name, func(t *testing.T) {
			f := inn()
			f.rows = answerRows + 1
			address, _ := start(t, f)
			p := browsertest.Open(t, address, look)
			p.Click("#to-sql")
			p.Type("#statement", "SELECT at, place, n FROM guests")
			p.Click(".button.main")
			p.Until("main", "the first 10,000 rows in")
			p.Until("main .marks", "flights.flights as of record 250,000")
			p.Shot("rows")
			cells := 0
			p.Eval(`document.querySelectorAll(".rows td").length`, &cells)
			if cells == 0 || cells > 1000 {
				t.Errorf("%d cells are in the page", cells)
			}
			p.Eval(`document.querySelector(".grid").scrollTop = 1e9`, nil)
			p.Until(".rows", "2027-04-25T03:00:00Z") // the last
			p.Click(".rows th:nth-child(3) button")
			p.Click(".rows th:nth-child(3) button")
			p.Until(".rows th[aria-sort=descending]", "n")
			p.Eval(`document.querySelector(".grid").scrollTop = 0`, nil)
			p.Until(".rows tbody td:nth-child(3)", "96")
			p.Click(".tabs button:nth-child(2)")
			p.Until(".chart", "2026-03-04")
			p.Shot("line")
			for _, kind := range []string{"bars", "histogram"} {
				p.Choose("main .result select", kind)
				p.Until("main .result", map[string]string{"bars": "The first 40 of 10,000 are drawn", "histogram": "median"}[kind])
				p.Shot(kind)
			}
			f.set(func() { f.fails = fault.New(fault.Rejected, "use a SELECT", "only SELECT is answered") })
			p.Expect("422")
			p.Click(".button.main")
			p.Until(".problem", "only SELECT is answered\n\nuse a SELECT")
			p.Shot("problem")
			f.set(func() { f.slow = true })
			p.Click(".button.main")
			p.Until("main", "asking …")
			p.Click(".button:nth-child(2)")
			p.Until("main [role=status]", "stopped")
		})
	}
}

// Everything can be reached by keys.
func TestPageByKeys(t *testing.T) {
	address, _ := start(t, inn())
	p := browsertest.Open(t, address, browsertest.Desk)
	p.Until("#tree", "bills")
	p.Press("?")
	p.Until("dialog[open]", "these keys")
	p.Press("esc")
	p.Press("/", "b", "i", "l", "l", "enter")
	p.Until("main h1", "bills.bills")
	p.Press("2")
	p.Until("main table", "restricted")
	p.Press("4")
	p.Until("main svg", "nights.nights")
	p.Press("e")
	p.Until("main .rows", hostile) // the statement about it is run
	p.Press("esc", "p", "up", "up", "enter")
	p.Until("main h1", "rooms.rooms")
	p.Press("p", "left", "left") // to the domain, which folds
	p.Until("#tree [aria-expanded=false]", "house")
	p.Press("right", "down", "enter")
	p.Until("main h1", "guests.guests")
	p.Press("t")
	theme := ""
	p.Eval(`document.documentElement.dataset.theme`, &theme)
	if theme != "light" {
		t.Errorf("the colours are %q", theme)
	}
	p.Press("g")
	p.Until("main h1", "The mesh")
}

// What changes shows by itself; what goes away is said.
func TestPageLives(t *testing.T) {
	f := inn()
	address, stop := start(t, f)
	p := browsertest.Open(t, address, browsertest.Desk)
	p.Until("main table", "rooms")
	p.Eval(`location.hash = "#/rooms"`, nil)
	p.Until("main h1", "● active")
	f.set(func() { f.deaf = "rooms" })
	p.Until("main h1", "○ gone")
	f.set(func() { f.deaf = "" })
	f.set(func() { f.all = append(f.all, entry("taxes", "money")) }, "taxes")
	p.Until("#tree", "taxes")
	f.set(func() { f.away = errAway })
	p.Until("#status", "✖ connect to nats://127.0.0.1:4222")
	p.Shot("away")
	f.set(func() { f.away = nil })
	p.Until("#status", "● live")
	p.Expect("ERR_CONNECTION_REFUSED")
	p.Expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
	stop()
	p.Until("#status", "✖ the server of this page is away")
}

// A mesh of 1,000 products is no slower to look at.
func TestPageOfAThousandProducts(t *testing.T) {
	f := crowd(1000)
	address, _ := start(t, f)
	p := browsertest.Open(t, address, browsertest.Desk)
	p.Until("main .tiles", "1,000")
	p.Until("#tree", "domain-39")
	p.Shot("thousand")
	p.Type("#words", "product-0777")
	p.Until(".hit", "product-0777")
	p.Press("enter")
	p.Until("main h1", "product-0777")
	p.Until("#tree [aria-current]", "product-0777")
	p.Shot("one")
}

// Who has no token sees what to do.
func TestPageWithoutToken(t *testing.T) {
	address, _ := start(t, inn())
	base, _, _ := strings.Cut(address, "?")
	p := browsertest.Open(t, base, browsertest.Phone)
	p.Expect("403")
	p.Until("body", "This page needs its token")
	p.Shot("locked")
}
