package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/product"
)

// BenchmarkBackup backs a stream of BENCH_EVENTS records up from one leaf and restores it
// into another one, against jsm.go's own snapshot and restore of the same stream beside it.
func BenchmarkBackup(b *testing.B) {
	events := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		events = n
	}
	from := startLeaf(b, "flights", "")
	makeStream(b, from.Conn(), jetstream.StreamConfig{Name: "audit", Subjects: []string{"audit.>"}, AllowBatchPublish: true})
	p := NewPublisher(from.Conn(), "audit")
	defer p.Close()
	for sent := 0; sent < events; {
		var batch []Outgoing
		for ; sent < events && len(batch) < 10_000; sent++ {
			batch = append(batch, Outgoing{Subject: "audit.k" + strconv.Itoa(sent%1000), Data: fmt.Appendf(nil,
				`{"id":%d,"customer":"c-%x","total":%d.%02d,"placed_at":"2026-03-01T08:%02d:%02dZ","note":"%x"}`, sent, sent*2654435761, sent%977, sent%97, sent/60%60, sent%60, sent*7919*sent)})
		}
		_, err := p.Append(b.Context(), batch)
		must(b, err)
	}
	var theirs, ours [2][]time.Duration
	var most uint64
	for b.Loop() {
		to := startLeaf(b, "delays", "")
		m, err := jsm.New(from.Conn().Conn, jsm.WithTimeout(time.Hour))
		must(b, err)
		s, err := m.LoadStream("audit")
		must(b, err)
		dir := filepath.Join(b.TempDir(), "theirs")
		began := time.Now()
		_, err = s.SnapshotToDirectory(b.Context(), dir)
		must(b, err)
		theirs[0] = append(theirs[0], time.Since(began))
		mto, err := jsm.New(to.Conn().Conn, jsm.WithTimeout(time.Hour))
		must(b, err)
		began = time.Now()
		_, state, err := mto.RestoreSnapshotFromDirectory(b.Context(), "audit", dir)
		must(b, err)
		theirs[1] = append(theirs[1], time.Since(began))
		if state.Msgs != uint64(events) {
			b.Fatalf("restored %d", state.Msgs)
		}
		must(b, DeleteStream(b.Context(), to.Conn(), "audit"))

		end := watchHeap(&most)
		out, in := spooling(b, from.Conn()), spooling(b, to.Conn())
		dir = b.TempDir()
		began = time.Now()
		f, err := os.Create(filepath.Join(dir, ArchiveFile))
		must(b, err)
		backup, err := out.Snapshot(b.Context(), SnapshotQuery{Stream: "audit", ID: "backup-one"}, func(piece []byte) error {
			_, err := f.Write(piece)
			return err
		})
		must(b, err)
		must(b, f.Close())
		must(b, WriteBackup(dir, &backup))
		ours[0] = append(ours[0], time.Since(began))
		began = time.Now()
		archive, err := os.Open(f.Name())
		must(b, err)
		buf := make([]byte, 4<<20)
		for at := int64(0); at < backup.Proof.Size; {
			n, err := archive.ReadAt(buf[:min(int64(len(buf)), backup.Proof.Size-at)], at)
			must(b, err)
			at, err = in.Put("restore-one", at, buf[:n])
			must(b, err)
		}
		must(b, archive.Close())
		done, err := in.Restore(b.Context(), []Restoring{{"restore-one", backup}})
		must(b, err)
		ours[1] = append(ours[1], time.Since(began))
		end()
		if done[0].Messages != uint64(events) {
			b.Fatalf("restored %+v", done)
		}
		closed(b, to)
	}
	b.ReportMetric(0, "ns/op")
	for i, what := range []string{"backup", "restore"} {
		b.ReportMetric(median(ours[i]).Seconds(), "s_"+what)
		b.ReportMetric(float64(median(ours[i]))/float64(median(theirs[i])), "ratio_"+what)
	}
	b.ReportMetric(float64(most)/(1<<20), "MiB_heap")
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// watchHeap measures how much more of the heap lives than at first, at most.
func watchHeap(most *uint64) (end func()) {
	runtime.GC()
	var at runtime.MemStats
	runtime.ReadMemStats(&at)
	first := at.HeapAlloc
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				runtime.ReadMemStats(&at)
				*most = max(*most, at.HeapAlloc-min(first, at.HeapAlloc))
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// BenchmarkStreamReport asks 200 leaves for all that a report has of 1,000 streams, as the
// command does.
func BenchmarkStreamReport(b *testing.B) {
	const leaves, each = 200, 5
	hub, err := StartHub(b.Context(), hubOptions(b))
	must(b, err)
	defer closed(b, hub)
	var starting sync.WaitGroup
	turns := make(chan struct{}, 4)
	all := make([]*Leaf, leaves)
	services := make([]*Service, leaves)
	for i := range leaves {
		turns <- struct{}{}
		starting.Go(func() {
			defer func() { <-turns }()
			name := "p" + strconv.Itoa(i)
			l, err := StartLeaf(context.WithoutCancel(b.Context()), LeafOptions{Dir: filepath.Join(b.TempDir(), name), Domain: name, HubLeafURL: hub.LeafURL(), Creds: always(productCreds(b, name))})
			if err != nil {
				b.Error(err)
				return
			}
			all[i] = l
			for j := range each {
				spec := StreamSpec{Name: fmt.Sprint("s", j), Subjects: []string{fmt.Sprintf("s%d.>", j)}}
				if err := EnsureStream(context.WithoutCancel(b.Context()), l.Conn(), spec); err != nil {
					b.Error(err)
				}
				if _, err := Publish(context.WithoutCancel(b.Context()), l.Conn(), fmt.Sprintf("s%d.x", j), []byte("x"), nil); err != nil {
					b.Error(err)
				}
			}
			a := NewMeshAdmin(l.Conn(), true)
			services[i], err = Serve(l.Conn(), ServiceSpec{Name: name, Version: "1.0.0", Endpoints: map[string]Handler{
				product.EndpointStreams: func(ctx context.Context, _ []byte, _ func([]byte) error) ([]byte, error) {
					streams, err := a.Streams(ctx, StreamQuery{Consumers: true, Rates: true})
					if err != nil {
						return nil, err
					}
					return json.Marshal(streams)
				},
			}})
			if err != nil {
				b.Error(err)
			}
		})
	}
	starting.Wait()
	defer func() {
		for i := range leaves {
			closed(b, services[i])
			closed(b, all[i])
		}
	}()
	eventually(b, "all have joined", func() bool { return hub.Leaves() == leaves })
	ask := func() int {
		streams := make([]int, leaves)
		var asking sync.WaitGroup
		turns := make(chan struct{}, 64)
		for i := range leaves {
			turns <- struct{}{}
			asking.Go(func() {
				defer func() { <-turns }()
				answer, err := Call(b.Context(), hub.Conn(), product.ServiceSubject("p"+strconv.Itoa(i), product.EndpointStreams), nil)
				if err != nil {
					return
				}
				var got []Stream
				if json.Unmarshal(answer, &got) == nil {
					streams[i] = len(got)
				}
			})
		}
		asking.Wait()
		n := 0
		for _, s := range streams {
			n += s
		}
		return n
	}
	eventually(b, "all answer", func() bool { return ask() == leaves*each })
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if n := ask(); n != leaves*each {
			b.Fatalf("%d streams told of themselves", n)
		}
		took = append(took, time.Since(began))
	}
	b.ReportMetric(median(took).Seconds(), "s_report")
}
