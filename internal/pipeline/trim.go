package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// TrimInbox removes messages of subject below upTo from an inbox.
type TrimInbox func(ctx context.Context, subject string, upTo record.Seq) error

// ImportSession is the prefix of an import's session token. The inbox keeps the last
// message of such a session, so that the same import resumes where it stopped.
const ImportSession = "import-"

const trimEvery = 5 * time.Second

// trimmer collects what has been worked off and trims it now and then.
type trimmer struct {
	handled map[string]record.Seq // last worked-off sequence by inbox subject
	upTo    record.Seq            // last of them all
	last    time.Time
}

func (t *trimmer) add(msgs []Message) {
	if t.handled == nil {
		t.handled = map[string]record.Seq{}
	}
	for i := range msgs {
		t.handled[msgs[i].Subject] = msgs[i].Seq
		t.upTo = msgs[i].Seq
	}
}

func (t *trimmer) pending() bool { return len(t.handled) > 0 }

func (t *trimmer) due() bool { return t.pending() && time.Since(t.last) >= trimEvery }

// run trims. The position that covers what was added must be durable before.
func (t *trimmer) run(ctx context.Context, trim TrimInbox) error {
	for subject, seq := range t.handled {
		upTo := seq + 1
		if strings.HasPrefix(subjectTail(subject), ImportSession) {
			upTo = seq
		}
		if err := trim(ctx, subject, upTo); err != nil {
			return fmt.Errorf("trim the inbox below %d of %s: %w", upTo, subject, err)
		}
	}
	clear(t.handled)
	t.last = time.Now()
	return nil
}
