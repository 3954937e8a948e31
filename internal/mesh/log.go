package mesh

import (
	"fmt"
	"log/slog"
)

// serverLog writes what an embedded server says to a slog.Logger. What the server
// calls fatal goes to the first reader of fatal too: an embedded server must not
// end the process.
type serverLog struct {
	log   *slog.Logger
	fatal chan error
}

func newServerLog(l *slog.Logger) *serverLog {
	return &serverLog{log: orDiscard(l), fatal: make(chan error, 1)}
}

// Noticef is debug here: a server's notices are banners and addresses.
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLog) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l *serverLog) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *serverLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }

func (l *serverLog) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	select {
	case l.fatal <- err:
	default: // the first one is the cause
	}
}
