package doctor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// Probe is one look at one thing, with what is too much, as monitoring systems ask for it.
type Probe struct {
	Suite string // what was looked at: product, leaf or hub
	Name  string // which one
	now   time.Time

	criticals, warnings, oks []string
	unknown                  string
	data                     []datum
}

type datum struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Warn  float64 `json:"warning,omitempty"`
	Crit  float64 `json:"critical,omitempty"`
	Unit  string  `json:"unit,omitempty"`
	Help  string  `json:"help,omitempty"`
}

// Bounds are where a value warns and where it is critical; 0 is nowhere.
type Bounds struct{ Warn, Critical float64 }

// NewProbe is a look at something that has not found anything yet.
func NewProbe(suite, name string, now time.Time) *Probe {
	return &Probe{Suite: suite, Name: name, now: now}
}

// Unknown says that it could not be looked at.
func (p *Probe) Unknown(err error) { p.unknown = strings.ReplaceAll(err.Error(), "\n", " ") }

// Critical says that something is wrong for sure.
func (p *Probe) Critical(format string, args ...any) {
	p.criticals = append(p.criticals, fmt.Sprintf(format, args...))
}

// above judges a value that should be small.
func (p *Probe) above(name string, value float64, unit string, b Bounds, help string) {
	p.judge(name, value, unit, b, help, func(v, bound float64) bool { return v >= bound })
}

// below judges a value that should be large.
func (p *Probe) below(name string, value float64, unit string, b Bounds, help string) {
	p.judge(name, value, unit, b, help, func(v, bound float64) bool { return v <= bound })
}

func (p *Probe) judge(name string, value float64, unit string, b Bounds, help string, bad func(v, bound float64) bool) {
	p.data = append(p.data, datum{name, value, b.Warn, b.Critical, unit, help})
	text := fmt.Sprintf("%s %s%s", name, number(value), unit)
	switch {
	case b.Critical > 0 && bad(value, b.Critical):
		p.criticals = append(p.criticals, text)
	case b.Warn > 0 && bad(value, b.Warn):
		p.warnings = append(p.warnings, text)
	case b != (Bounds{}):
		p.oks = append(p.oks, text)
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Status is OK, WARNING, CRITICAL or UNKNOWN.
func (p *Probe) Status() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[p.Code()]
}

// Code is the status as the exit code of a Nagios plugin.
func (p *Probe) Code() int {
	switch {
	case p.unknown != "":
		return 3
	case len(p.criticals) > 0:
		return 2
	case len(p.warnings) > 0:
		return 1
	}
	return 0
}

// Nagios is the line that a Nagios plugin prints.
func (p *Probe) Nagios() string {
	words := []string{p.Status(), p.Suite, p.Name}
	if p.unknown != "" {
		words = append(words, p.unknown)
	}
	for _, group := range []struct {
		mark  string
		texts []string
	}{{"Crit:", p.criticals}, {"Warn:", p.warnings}, {"OK:", p.oks}} {
		for _, text := range group.texts {
			words = append(words, group.mark+strings.ReplaceAll(text, "|", "/"))
		}
	}
	line := strings.Join(words, " ")
	for i, d := range p.data {
		if i == 0 {
			line += " |"
		}
		line += fmt.Sprintf(" %s=%s%s;%s;%s", d.Name, number(d.Value), d.Unit, bound(d.Warn), bound(d.Crit))
	}
	return line + "\n"
}

func bound(v float64) string {
	if v == 0 {
		return ""
	}
	return number(v)
}

// MarshalJSON writes it in the form of the checks of the nats command line.
func (p *Probe) MarshalJSON() ([]byte, error) {
	data := p.data
	if data == nil {
		data = []datum{}
	}
	return json.Marshal(struct {
		Status    string   `json:"status"`
		Suite     string   `json:"check_suite"`
		Name      string   `json:"check_name"`
		Output    string   `json:"output,omitempty"`
		Warnings  []string `json:"warning,omitempty"`
		Criticals []string `json:"critical,omitempty"`
		OKs       []string `json:"ok,omitempty"`
		Data      []datum  `json:"perf_data"`
	}{p.Status(), p.Suite, p.Name, p.unknown, p.warnings, p.criticals, p.oks, data})
}

// Prometheus is the probe in the Prometheus text format.
func (p *Probe) Prometheus() string {
	var b strings.Builder
	write := func(name, help, labels string, value float64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s{item=%q%s} %s\n", name, help, name, name, p.Name, labels, number(value))
	}
	for _, d := range p.data {
		write("meshctl_"+p.Suite+"_"+d.Name, d.Help, "", d.Value)
	}
	write("meshctl_"+p.Suite+"_status_code", "Status as a Nagios plugin's exit code.", `, status="`+p.Status()+`"`, float64(p.Code()))
	return b.String()
}

// ProductBounds say how a product may fare.
type ProductBounds struct {
	Lag, Dead, InputLag Bounds
	Age                 Bounds // of the newest record, in seconds; where it is nowhere, the promised freshness is critical
}

// Product looks at a product's ports and inputs. v is nil where it does not answer.
func (p *Probe) Product(e *catalog.Entry, v *catalog.Vitals, b ProductBounds) {
	if v == nil {
		p.Critical("it does not answer")
		return
	}
	var lag, dead, inputs float64
	for _, r := range v.Ports {
		dead += float64(r.Dead)
		for _, s := range r.Stores {
			lag = max(lag, float64(s.Lag))
		}
		if r.Error != "" {
			p.Critical("port %s: %s", r.Port, r.Error)
		}
	}
	for _, in := range v.Inputs {
		inputs = max(inputs, float64(in.Lag))
		if in.Error != "" {
			p.Critical("input %s: %s", in.Name, in.Error)
		}
	}
	if v.Error != "" {
		p.Critical("%s", v.Error)
	}
	p.above("lag", lag, "", b.Lag, "Records that the slowest store is behind its log.")
	p.above("dead_letters", dead, "", b.Dead, "Dead letters that wait.")
	p.above("input_lag", inputs, "", b.InputLag, "Records that the slowest input is behind its source.")
	for i := range e.Ports {
		port := &e.Ports[i]
		if port.LastTime.IsZero() {
			continue
		}
		age := b.Age
		if promised, ok := port.Output.Promised("freshness"); ok && age == (Bounds{}) {
			age.Critical = promised.Seconds()
		}
		name := "age_" + strings.ReplaceAll(port.Output.Name, "-", "_")
		p.above(name, p.now.Sub(port.LastTime).Round(time.Millisecond).Seconds(), "s", age, "Seconds since the newest record of the port.")
	}
}

// LeafBounds say how a leaf may fare.
type LeafBounds struct {
	RoundTrip, Skew Bounds // in seconds
	Storage, Disk   Bounds // in percent: of the limit that is used, and of the disk that is free
	Expiry          Bounds // in seconds, until the credential expires
}

// Leaf looks at a product's server.
func (p *Probe) Leaf(v *catalog.Vitals, b LeafBounds) {
	if v == nil {
		p.Critical("it does not answer")
		return
	}
	if v.Error != "" {
		p.Critical("%s", v.Error)
	}
	if v.Link != nil && !v.Link.Joined {
		p.Critical("it is not joined to the hub since %s", v.Link.Since.Format(time.RFC3339))
	}
	p.above("round_trip", time.Duration(v.RoundTrip).Seconds(), "s", b.RoundTrip, "Seconds until the leaf answered.")
	p.above("clock_skew", time.Duration(v.Skew).Abs().Seconds(), "s", b.Skew, "Seconds that the clock differs from the asker's.")
	p.storage(v, b)
	if !v.Expires.IsZero() {
		p.below("credential_expires", v.Expires.Sub(p.now).Round(time.Second).Seconds(), "s", b.Expiry, "Seconds until the credential expires.")
	}
}

func (p *Probe) storage(v *catalog.Vitals, b LeafBounds) {
	if s := v.Storage; s.Limit > 0 {
		p.above("storage_used", percent(float64(s.Used), float64(s.Limit)), "%", b.Storage, "Part of what streams may use that they use.")
	}
	if s := v.Storage; s.DiskSize > 0 {
		p.below("disk_free", percent(float64(s.DiskFree), float64(s.DiskSize)), "%", b.Disk, "Part of the disk that is free.")
	}
}

func percent(part, whole float64) float64 { return float64(int64(part/whole*10000)) / 100 }

// Hub looks at the hub; leaves are how many should have joined.
func (p *Probe) Hub(v *catalog.Vitals, leaves Bounds, b LeafBounds) {
	if v.Error != "" {
		p.Critical("%s", v.Error)
	}
	p.below("nodes", float64(len(v.Nodes)), "", Bounds{Warn: float64(v.Size) - 0.5, Critical: float64(v.Size / 2)}, "Nodes of the hub that answer.")
	p.below("leaves", float64(len(v.Leaves)), "", leaves, "Leaves that have joined.")
	p.above("round_trip", time.Duration(v.RoundTrip).Seconds(), "s", b.RoundTrip, "Seconds until the hub answered.")
	p.storage(v, b)
}
