package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// defaultScan is how many records a scan answers that names no limit.
const defaultScan = 1000

// Scan is the answer to a scan in one piece.
type Scan struct {
	Records []Record `json:"records"`
	ScanAnswer
}

func (h *handler) entry(c *call) error {
	e, err := h.product.Entry(c.context())
	if err != nil {
		return fmt.Errorf("read the product's entry: %w", err)
	}
	return c.writeJSON(e)
}

func (h *handler) ports(c *call) error {
	e, err := h.product.Entry(c.context())
	if err != nil {
		return fmt.Errorf("read the product's entry: %w", err)
	}
	if e.Ports == nil {
		e.Ports = []catalog.Port{}
	}
	return c.writeJSON(e.Ports)
}

func (h *handler) port(c *call) error {
	p, err := findPort(c.context(), h.product, c.path["port"])
	if err != nil {
		return err
	}
	return c.writeJSON(p)
}

// findPort is the port called name or name@major.
func findPort(ctx context.Context, p Product, name string) (*catalog.Port, error) {
	e, err := p.Entry(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the product's entry: %w", err)
	}
	_, port, err := catalog.Catalog{e}.Port(e.Product.Metadata.Name + "." + name)
	return port, err
}

func (h *handler) record(c *call) error {
	key, err := h.key(c)
	if err != nil {
		return err
	}
	r := GetRequest{Port: c.path["port"], Keys: []string{key}}
	if r.Await, err = c.await(); err != nil {
		return err
	}
	a, err := h.product.Get(c.context(), r)
	if err != nil {
		return err
	}
	mark, err := json.Marshal(a.Watermark)
	if err != nil {
		return fmt.Errorf("write watermark: %w", err)
	}
	c.w.Header().Set(headerWatermark, string(mark))
	if len(a.Records) == 0 || a.Records[0].Deleted {
		return fault.New(fault.NotFound, "", "port %s has no record with the key %q", r.Port, key)
	}
	return c.writeJSON(a.Records[0])
}

func (h *handler) records(c *call) error {
	await, err := c.await()
	if err != nil {
		return err
	}
	a, err := h.product.Get(c.context(), GetRequest{Port: c.path["port"], Keys: c.query["key"], Await: await})
	if err != nil {
		return err
	}
	if a.Records == nil {
		a.Records = []Record{}
	}
	if a.Missing == nil {
		a.Missing = []string{}
	}
	return c.writeJSON(a)
}

func (h *handler) scan(c *call) error {
	media, err := c.negotiate(scanAnswers())
	if err != nil {
		return err
	}
	r := ScanRequest{Port: c.path["port"], From: c.param("from"), To: c.param("to"), Prefix: c.param("prefix")}
	if text := c.param("reverse"); text != "" {
		if r.Reverse, err = strconv.ParseBool(text); err != nil {
			return fault.New(fault.Invalid, "use true or false", "parameter reverse is %q", text)
		}
	}
	limit, err := c.limit(defaultScan)
	if err != nil {
		return err
	}
	if limit > math.MaxInt32 {
		return fault.New(fault.Invalid, "use 0 for all", "parameter limit is too great")
	}
	r.Limit = int(limit)
	if media == mediaNDJSON {
		return h.scanLines(c, r)
	}
	return h.scanWhole(c, r)
}

// scanLines answers one record a line; how it ended is in the trailers.
func (h *handler) scanLines(c *call, r ScanRequest) error {
	b := newBody(c, mediaNDJSON, headerWatermark, headerCount, headerMore)
	a, err := h.product.Scan(c.context(), r, func(rec Record) error { return encode(b, rec) })
	if err != nil {
		return err
	}
	return b.close(a.Watermark, a.Count, a.More)
}

// scanWhole answers a Scan, record by record as they come.
func (h *handler) scanWhole(c *call, r ScanRequest) error {
	b := newBody(c, mediaJSON)
	between := `{"records":[`
	a, err := h.product.Scan(c.context(), r, func(rec Record) error {
		if _, err := b.WriteString(between); err != nil {
			return err
		}
		between = ","
		return encode(b, rec)
	})
	if err != nil {
		return err
	}
	end, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	if between != "," {
		_, _ = b.WriteString(between) // an error stays until close
	}
	end[0] = ',' // in place of its opening brace
	_, _ = b.WriteString("]")
	_, _ = b.Write(append(end, '\n'))
	return b.close()
}

// limit is the parameter of that name, or without it otherwise.
func (c *call) limit(otherwise int64) (int64, error) {
	text := c.param("limit")
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "use a whole number; 0 is all", "parameter limit is %q", text)
	}
	return n, nil
}

// await reads name:sequence.
func (c *call) await() (Await, error) {
	text := c.param("await")
	if text == "" {
		return Await{}, nil
	}
	name, digits, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || name == "" {
		return Await{}, fault.New(fault.Invalid, "use an input's or port's name, a colon and a sequence", "parameter await is %q", text)
	}
	return Await{Input: name, Seq: record.Seq(seq)}, nil
}

// key is the key that the path names, as a person writes it. A lone segment is the
// whole key; several are its parts.
func (h *handler) key(c *call) (string, error) {
	if len(c.rest) == 1 {
		return c.rest[0], nil
	}
	width, err := h.keys.of(c.context(), c.path["port"])
	if err != nil {
		return "", err
	}
	if width == 1 {
		return strings.Join(c.rest, "/"), nil
	}
	return record.JoinTexts(c.rest), nil
}

// keyWidths remembers how many columns each port's key has, which no running product
// changes.
type keyWidths struct {
	product Product
	mu      sync.Mutex
	known   map[string]int
}

func newKeyWidths(p Product) *keyWidths { return &keyWidths{product: p, known: map[string]int{}} }

func (k *keyWidths) of(ctx context.Context, port string) (int, error) {
	k.mu.Lock()
	width, ok := k.known[port]
	k.mu.Unlock()
	if ok {
		return width, nil
	}
	p, err := findPort(ctx, k.product, port)
	if err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known[port] = len(p.Output.Key)
	return len(p.Output.Key), nil
}
