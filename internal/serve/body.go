package serve

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The trailers of streamed answers.
const (
	headerWatermark = "Meshctl-Watermark" // a Watermark, or of a query one for each port, as JSON
	headerMore      = "Meshctl-More"      // true when the limit cut the answer
	headerCount     = "Meshctl-Count"     // records or rows sent
)

// stalled is how long a client may take to read what one flush sends.
const stalled = 30 * time.Second

// body is a success on its way out. Nothing is sent before its buffer is full or it
// is closed, so that an early failure is still answered as a problem.
type body struct {
	*bufio.Writer
	c        *call
	media    string
	trailers []string
	sent     bool
}

func newBody(c *call, media string, trailers ...string) *body {
	b := &body{c: c, media: media, trailers: trailers}
	b.Writer = bufio.NewWriterSize(sink{b}, 32<<10)
	return b
}

// sink is where the buffer goes.
type sink struct{ b *body }

func (s sink) Write(p []byte) (int, error) {
	s.b.open()
	err := http.NewResponseController(s.b.c.w).SetWriteDeadline(time.Now().Add(stalled))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.b.c.w.Write(p)
}

func (b *body) open() {
	if b.sent {
		return
	}
	b.sent = true
	head := b.c.w.Header()
	switch b.media {
	case mediaCSV, mediaMarkdown: // text that would be read in whatever the client's default is
		head.Set("Content-Type", b.media+"; charset=utf-8")
	default:
		head.Set("Content-Type", b.media)
	}
	if len(b.trailers) > 0 {
		head.Set("Trailer", strings.Join(b.trailers, ", "))
	}
	b.c.w.WriteHeader(http.StatusOK)
}

// close sends what is left and the trailers' values, in the order of their names.
func (b *body) close(values ...any) error {
	texts := make([]string, len(values))
	for i, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("write trailer: %w", err)
		}
		texts[i] = string(text)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	b.open() // an empty answer has flushed nothing
	for i, name := range b.trailers {
		b.c.w.Header().Set(name, texts[i])
	}
	return nil
}

// writeJSON answers one value.
func (c *call) writeJSON(v any) error {
	b := newBody(c, mediaJSON)
	if err := encode(b, v); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return b.close()
}

// encode writes v as one line of JSON, its text as it is.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
