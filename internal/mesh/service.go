package mesh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Handler answers one request. It may send the answer in pieces as it has them; what
// it returns comes last. ctx ends when the caller gives up or is gone, and send then
// returns its error. An error is what the caller gets as a fault. What send was given is
// the handler's again once send returns.
type Handler func(ctx context.Context, req []byte, send func(chunk []byte) error) (final []byte, err error)

// ServiceSpec is what a product answers.
type ServiceSpec struct {
	Name        string // the product
	Version     string // SemVer
	Description string
	Metadata    map[string]string
	Endpoints   map[string]Handler // by name; the subject is product.ServiceSubject
	// Queue is shared by several that answer alike. A leaf must not be able to join it: it
	// would get a share of the calls.
	Queue string
	// ByReader answers at product.SubscribeSubject, which none but the reader can ask at.
	ByReader func(reader string) Handler
	MaxCalls int // most at one time, further ones are refused; 256 when 0
}

// callerKey is where a handler's context has the subject that the answer goes to.
type callerKey struct{}

// Caller says who asked for what a Handler answers, such as "user ann" or "product
// delays": whose inbox the answer goes to, for nobody else's credential hears that. It is
// empty where the mesh asks for no credentials.
func Caller(ctx context.Context) string {
	reply, _ := ctx.Value(callerKey{}).(string)
	tokens := strings.Split(reply, ".")
	if len(tokens) < 4 || tokens[0] != "_INBOX" {
		return ""
	}
	return tokens[1] + " " + tokens[2]
}

// Service answers calls until it is closed. It is a NATS micro service, so `nats
// micro` and $SRV.PING, INFO and STATS know it.
type Service struct {
	nc    *Conn
	spec  ServiceSpec
	micro micro.Service
	ctrl  *nats.Subscription
	stop  context.CancelFunc
	ctx   context.Context // of all handlers
	idle  chan task       // to a worker that waits for its next call

	workers sync.WaitGroup
	running sync.WaitGroup // calls
	mu      sync.Mutex
	closed  bool
	count   int              // of running calls
	calls   map[string]*call // running, by name
	failed  uint64
}

// Serve starts to answer.
func Serve(nc *Conn, spec ServiceSpec) (*Service, error) {
	if spec.MaxCalls <= 0 {
		spec.MaxCalls = 256
	}
	s := &Service{nc: nc, spec: spec, calls: map[string]*call{}, idle: make(chan task)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.listen(); err != nil {
		s.stop()
		return nil, fmt.Errorf("serve %s: %w", spec.Name, err)
	}
	return s, nil
}

func (s *Service) listen() error {
	var err error
	s.ctrl, err = s.nc.Subscribe(product.ServiceSubject(s.spec.Name, product.EndpointControl), s.steer)
	if err != nil {
		return connFault(err, "the server")
	}
	// The default queue group would let any leaf take a share of this product's calls.
	s.micro, err = micro.AddService(s.nc.Conn, micro.Config{
		Name: s.spec.Name, Version: s.spec.Version, Description: s.spec.Description,
		Metadata: s.spec.Metadata, QueueGroup: s.spec.Queue, QueueGroupDisabled: s.spec.Queue == "", StatsHandler: s.stats,
	})
	if err != nil {
		_ = s.ctrl.Unsubscribe()
		return fault.New(fault.Invalid, "", "%w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(s.spec.Endpoints)) {
		h := s.spec.Endpoints[name]
		if err := s.endpoint(name, product.ServiceSubject(s.spec.Name, name), func(r micro.Request) { s.accept(h, r) }); err != nil {
			return err
		}
	}
	if s.spec.ByReader == nil {
		return nil
	}
	return s.endpoint("subscribe", product.SubscribeSubject(s.spec.Name, "*"), func(r micro.Request) {
		s.accept(s.spec.ByReader(r.Subject()[strings.LastIndexByte(r.Subject(), '.')+1:]), r)
	})
}

func (s *Service) endpoint(name, subject string, take micro.HandlerFunc) error {
	if err := s.micro.AddEndpoint(name, take, micro.WithEndpointSubject(subject)); err != nil {
		_ = s.ctrl.Unsubscribe()
		return fmt.Errorf("endpoint %s: %w", name, joinStop(err, s.micro))
	}
	return nil
}

// Close takes no more calls and waits for the running ones. When ctx ends first, they
// are cancelled.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.micro.Stop()
	idle := make(chan struct{})
	go func() { s.running.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	s.stop()
	<-idle
	s.workers.Wait()
	_ = s.ctrl.Unsubscribe() // fails only on a closed connection
	if err != nil {
		return fmt.Errorf("close service %s: %w", s.spec.Name, err)
	}
	return nil
}

// accept starts one call. It runs on the endpoint's own goroutine and must not wait.
func (s *Service) accept(h Handler, r micro.Request) {
	if r.Reply() == "" {
		return // nobody to answer
	}
	c := &call{
		s: s, name: nats.Header(r.Headers()).Get(headerCall), reply: r.Reply(),
		took: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.WithValue(s.ctx, callerKey{}, r.Reply()))
	if err := s.admit(c); err != nil {
		c.cancel(nil)
		m := &nats.Msg{Subject: c.reply}
		setFault(m, err)
		_ = s.nc.PublishMsg(m) // the caller notices the silence
		return
	}
	t := task{c, h, r.Data()}
	select {
	case s.idle <- t:
	default:
		s.workers.Go(func() { s.work(t) })
	}
}

// task is a call that was admitted.
type task struct {
	c   *call
	h   Handler
	req []byte
}

// work serves one call after the other. A goroutine of its own for each call would
// spend a third of a quick one on growing its stack.
func (s *Service) work(t task) {
	for {
		t.c.serve(t.h, t.req)
		s.release(t.c)
		select {
		case t = <-s.idle:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Service) admit(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fault.New(fault.Unavailable, "try again when it is back", "product %s is stopping", s.spec.Name)
	case s.count >= s.spec.MaxCalls:
		return fault.New(fault.Unavailable, "try again in a moment", "product %s has %d calls running and takes no more", s.spec.Name, s.count)
	}
	s.count++
	s.running.Add(1)
	if c.name != "" {
		s.calls[c.name] = c
	}
	return nil
}

func (s *Service) release(c *call) {
	c.cancel(nil)
	s.mu.Lock()
	s.count--
	if c.name != "" {
		delete(s.calls, c.name)
	}
	s.mu.Unlock()
	s.running.Done()
}

// steer passes what a caller wants on to its call.
func (s *Service) steer(m *nats.Msg) {
	s.mu.Lock()
	c := s.calls[m.Header.Get(headerCall)]
	s.mu.Unlock()
	if c == nil {
		return // it has ended meanwhile
	}
	switch m.Header.Get(headerDo) {
	case doCancel:
		c.cancel(errCallerGone)
	case doTake:
		room, err := strconv.Atoi(m.Header.Get(headerPiece))
		if err == nil {
			c.take(m.Reply, room)
		}
	}
}

func (s *Service) stats(*micro.Endpoint) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]uint64{"running": uint64(s.count), "failed": s.failed}
}
