package pipeline

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/meshctl/meshctl/internal/product"
)

// A message of the mesh has at most 8 MiB, of which 64 KiB may be headers. What could
// not be appended would be tried for ever, so it is never made.
const (
	maxRecord = 7 << 20  // bytes of a record
	maxLetter = 7 << 20  // bytes of a record that a dead letter keeps
	maxKey    = 16 << 10 // bytes of a key, which a header may have to carry
	maxReason = 2 << 10  // bytes of a dead letter's reason
)

// letter is a dead letter on its way.
type letter struct {
	at  Position
	out Outgoing
}

// newLetter makes a dead letter of value: why it was refused, who sent it (a subject
// token), where it came from, and its place among the letters of its writer.
func newLetter(port product.PortID, source, origin, reason string, value []byte, at Position) letter {
	if len(value) > maxLetter {
		reason = fmt.Sprintf("%s (the letter keeps the first %d of %d bytes)", cut(reason, maxReason/2), maxLetter, len(value))
		value = value[:maxLetter]
	}
	return letter{at, Outgoing{
		Subject: port.DeadSubject(source),
		Header: [][2]string{
			{product.HeaderReason, oneLine(reason)},
			{product.HeaderOrigin, origin},
			{product.HeaderPosition, at.String()},
		},
		Data: value,
	}}
}

// bury appends those letters, ordered by position, that their writer has not yet
// appended to dead, and returns how many.
func bury(ctx context.Context, dead Log, port product.PortID, letters []letter) (int, error) {
	if len(letters) == 0 {
		return 0, nil
	}
	_, done, err := lastPosition(ctx, dead)
	if err != nil {
		return 0, fmt.Errorf("read the dead letters of %s: %w", port, err)
	}
	var fresh []Outgoing
	for _, l := range letters {
		if l.at.After(done) || l.at.ofLogic() != done.ofLogic() {
			fresh = append(fresh, l.out)
		}
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	if _, err := dead.Append(ctx, fresh); err != nil {
		return 0, fmt.Errorf("append %d dead letters of %s: %w", len(fresh), port, err)
	}
	return len(fresh), nil
}

// oneLine is s as a header can hold it.
func oneLine(s string) string {
	return cut(strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " "), maxReason)
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

func subjectTail(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
