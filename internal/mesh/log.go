package mesh

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// serverLog writes what an embedded server says to a slog.Logger. What the server
// calls fatal goes to the first reader of fatal too: an embedded server must not
// end the process.
type serverLog struct {
	log   *slog.Logger
	fatal chan error
	heard func(text string) bool // is told of errors and says whether that is enough; may be nil

	mu   sync.Mutex
	said map[string]time.Time // what was said last when, but for which connection it was
}

// A server that is refused tries again five times a second. Its other side and itself
// say so each time, which is worth telling once a minute.
const (
	sayAgain = time.Minute
	sayMost  = 1000 // different things are remembered
)

func newServerLog(l *slog.Logger) *serverLog {
	return &serverLog{log: orDiscard(l), fatal: make(chan error, 1), said: map[string]time.Time{}}
}

// Noticef is debug here: a server's notices are banners and addresses.
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }

func (l *serverLog) Warnf(format string, v ...any) {
	if text := fmt.Sprintf(format, v...); l.isNews(text) {
		l.log.Warn(text)
	}
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if (l.heard == nil || !l.heard(text)) && l.isNews(text) {
		l.log.Error(text)
	}
}

// isNews says whether a text has not been said just before. It may begin with the
// address and the number of a connection.
func (l *serverLog) isNews(text string) bool {
	if at := strings.Index(text, " - "); at >= 0 && strings.Count(text[:at], ":") > 0 {
		text = text[at+3:]
		if _, rest, ok := strings.Cut(text, " - "); ok {
			text = rest
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.said[text]) < sayAgain {
		return false
	}
	if len(l.said) >= sayMost {
		clear(l.said)
	}
	l.said[text] = time.Now()
	return true
}

func (l *serverLog) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	select {
	case l.fatal <- err:
	default: // the first one is the cause
	}
}
