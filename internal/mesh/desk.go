package mesh

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/product"
)

// mirrorPatience is how long a mirror waits for an answer.
const mirrorPatience = 5 * time.Second

// desk takes what the mirrors of a leaf ask. It is there before a mirror asks for the
// first time, which is at least a tenth of a second after its stream was found on disk.
type desk struct {
	mu    sync.Mutex
	asked map[string]question      // the last at each subject, until it is answered
	wake  map[string]chan struct{} // of those who answer
}

type question struct {
	reply string
	at    time.Time
}

// waits says whether whoever asked still does.
func (r question) waits() bool { return r.reply != "" && time.Since(r.at) < mirrorPatience }

func newDesk(nc *Conn) (*desk, error) {
	d := &desk{asked: map[string]question{}, wake: map[string]chan struct{}{}}
	if _, err := nc.Subscribe(product.MirrorRequests, d.take); err != nil {
		return nil, connFault(err, "the server")
	}
	return d, nil
}

func (d *desk) take(m *nats.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[m.Subject] = question{reply: m.Reply, at: time.Now()}
	if wake := d.wake[m.Subject]; wake != nil {
		select {
		case wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// attend is the channel that tells of requests at subject.
func (d *desk) attend(subject string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	wake := make(chan struct{}, 1)
	d.wake[subject] = wake
	return wake
}

func (d *desk) pending(subject string) question {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[subject]
}

// answered forgets what was asked last at subject, which it returns.
func (d *desk) answered(subject string) question {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.asked[subject]
	delete(d.asked, subject)
	return r
}
