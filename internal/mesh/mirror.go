package mesh

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

const (
	mirrorRetry = 200 * time.Millisecond // pause before the origin is asked again
	mirrorCall  = 3 * time.Second        // for one answer of the origin
	mirrorAgain = 500 * time.Millisecond // without one, a question may have been lost with a link
	mirrorLook  = time.Second            // how often a mirror's state is looked at
)

// AskOrigin makes the origin of a mirror send what follows after, by Deliver at its
// leaf, and returns the answer.
type AskOrigin func(ctx context.Context, after record.Seq) ([]byte, error)

// MirrorState is how a mirror fares.
type MirrorState struct {
	Last  record.Seq
	Lag   uint64        // as of when the origin was last heard of
	Quiet time.Duration // since the origin was last heard of; negative when never
	Err   error         // why the mirror waits for its origin; nil when it does not
}

// KeepMirror keeps a mirror of this leaf moving until ctx is done, and makes the
// stream where there is none. It tells report every second how the mirror fares.
//
// The server looks after its mirrors with patience: where a consumer cannot be reached
// it waits up to two minutes before it tries again. So a mirror here asks its own
// process, which holds the question until the origin answers, and nudges the mirror to
// ask again as soon as it has lost patience. The position that the origin goes on from
// is the mirror's own, not what the origin believes to have been stored.
func (l *Leaf) KeepMirror(ctx context.Context, spec StreamSpec, ask AskOrigin, report func(MirrorState)) error {
	subject := spec.Mirror.Port.MirrorRequest(spec.Mirror.Reader)
	k := keeper{leaf: l, spec: spec, subject: subject, ask: ask, report: report, state: MirrorState{Quiet: -1}}
	requests := l.desk.attend(subject)
	tick := time.NewTicker(mirrorRetry)
	defer tick.Stop()
	for {
		if err := k.step(ctx); err != nil {
			return fmt.Errorf("keep mirror %s: %w", spec.Name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-requests:
		case <-tick.C:
		}
	}
}

// EnsureMirror makes the stream of a mirror. One that mirrors the same port in another
// way is made anew: its records are still at their owner.
func EnsureMirror(ctx context.Context, nc *Conn, spec StreamSpec) error {
	have, err := streamInfo(ctx, nc, "", spec.Name)
	if err == nil && have.Config.Mirror != nil && have.Config.Mirror.Consumer == nil {
		if err := DeleteStream(ctx, nc, spec.Name); err != nil {
			return err
		}
	}
	return EnsureStream(ctx, nc, spec)
}

// keeper is one KeepMirror at work.
type keeper struct {
	leaf    *Leaf
	spec    StreamSpec
	subject string
	ask     AskOrigin
	report  func(MirrorState)
	state   MirrorState
	looked  time.Time
	served  time.Time // when the origin answered last
	gaveUp  bool      // the mirror has asked in vain and asks again much later, unless nudged
}

func (k *keeper) step(ctx context.Context) error {
	if time.Since(k.looked) >= mirrorLook {
		if err := k.look(ctx); err != nil {
			return err
		}
	}
	switch r := k.leaf.desk.pending(k.subject); {
	case r.waits():
		k.gaveUp = false
		return k.serve(ctx)
	case r.reply != "":
		k.leaf.desk.answered(k.subject)
		k.gaveUp = true
	}
	if k.gaveUp || k.state.Quiet < 0 && time.Since(k.served) > mirrorPatience {
		return k.nudge()
	}
	return nil
}

// look sees how the mirror fares, and makes it where somebody has deleted it.
func (k *keeper) look(ctx context.Context) error {
	nc := k.leaf.Conn()
	s, err := State(ctx, nc, "", k.spec.Name)
	if fault.KindOf(err) == fault.NotFound {
		if err = EnsureStream(ctx, nc, k.spec); err == nil {
			s, err = State(ctx, nc, "", k.spec.Name)
		}
	}
	if err != nil {
		return err
	}
	k.looked = time.Now()
	k.state.Last, k.state.Lag, k.state.Quiet = s.Last, s.MirrorLag, s.MirrorActive
	k.report(k.state)
	return nil
}

// serve passes the mirror's question on and the answer back. An origin that does not
// answer leaves the question where it is.
func (k *keeper) serve(ctx context.Context) error {
	nc := k.leaf.Conn()
	s, err := State(ctx, nc, "", k.spec.Name)
	if fault.KindOf(err) == fault.NotFound {
		k.looked = time.Time{} // to be made anew
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := k.askOrigin(ctx, s.Last)
	if k.state.Err = err; err != nil {
		return nil
	}
	if r := k.leaf.desk.answered(k.subject); r.reply != "" {
		k.served = time.Now()
		err = nc.Publish(r.reply, answer)
	}
	return err
}

// askOrigin returns the first answer to a question that is put again while none comes.
func (k *keeper) askOrigin(ctx context.Context, after record.Seq) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, mirrorCall)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, mirrorCall/mirrorAgain+1)
	for pause := mirrorAgain; ; pause *= 2 { // a producer that is slow is not to get slower by it
		asking.Go(func() {
			text, err := k.ask(ctx, after)
			answers <- answer{text, err}
		})
		select {
		case a := <-answers:
			return a.text, a.err
		case <-time.After(pause):
		}
	}
}

// nudge makes a mirror ask again that waits after a question in vain: whatever comes
// where its records are to arrive tells it that the origin is alive. A mirror that does
// not wait so must not be nudged, for it would take the nudge for its origin's.
func (k *keeper) nudge() error {
	return k.leaf.Conn().Publish(k.spec.Mirror.Port.DeliverSubject(k.spec.Mirror.Reader), nil)
}
