package readpath

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/compaction/gc"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

// Release holds V6 against the bucket itself before a segment goes.
func (l *tier) Release(below kafka.Offset) (int, int64, error) {
	l.onRelease(below)
	return l.Log.Release(below)
}

// createTopic commits the topic, so that a sweep knows it.
func (w *world) createTopic() {
	w.t.Helper()
	_, err := w.cat.Commit(w.t.Context(),
		cluster.RegisterAgent{Agent: cluster.Agent{
			ID: 1, DiskUUID: "disk", Advertised: "127.0.0.1:9092", FormatMax: 1,
		}},
		cluster.CreateTopic{
			ID: tp0.Topic, Name: "flights", Assignments: [][]int32{{1}, {1}},
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

// checkRelease fails the test on a release above what the bucket's own head says is verified.
func (w *world) checkRelease(below kafka.Offset) {
	r, err := catalog.OpenReader(context.Background(), w.inner)
	if err != nil {
		w.t.Error(err)
		return
	}
	head, err := r.Partition(tp0).Load(context.Background())
	if err != nil {
		w.t.Error(err)
		return
	}
	if below > max(head.VerifiedEnd, head.LogStartOffset) {
		w.t.Errorf("V6: release below %d, verified end %d, log start %d",
			below, head.VerifiedEnd, head.LogStartOffset)
	}
}

// life is the scenario: seal, release, seal more, expire. It goes through whatever the store does.
func (w *world) life() {
	w.append(40, 1500)
	w.seal()
	w.append(40, 1500)
	w.set(func(s *settings.Topic) { s.LocalRetentionBytes = 0 })
	w.seal()
	w.until("release", func() bool { return w.log.LocalLogStartOffset() == w.next })
	w.append(40, 1500)
	w.seal()
	w.set(func(s *settings.Topic) { s.RetentionBytes = int64(len(w.data)) / 2 })
	w.until("expiry", func() bool { return w.log.LogStartOffset() == 400 })
}

// sweep runs one gc; an injected failure ends it early.
func (w *world) sweep() error {
	_, err := gc.New(w.cat, gc.Options{
		Grace: -1,
		Leads: func(tp kafka.TopicPartition) (gc.Lead, bool) {
			return gc.Lead{Epoch: w.epoch, UploadInFlight: func(uid string) bool {
				return w.sealer.UploadInFlight(tp, uid)
			}}, tp == tp0
		},
	}).Run(context.Background())
	return err
}

// holds checks V5, V7 and V8 and that one sweep leaves nothing behind.
func (w *world) holds(name string) {
	t := w.t
	t.Helper()
	w.store.Quiet()
	w.store.Land(context.Background())
	start := w.log.LogStartOffset()
	if got := w.readAll(start, 1<<20); !bytes.Equal(got, w.span(start)) {
		t.Errorf("%s: V8: %d bytes from %d on, want %d", name, len(got), start, len(w.span(start)))
	}
	if got := w.replayAll(); !bytes.Equal(got, w.span(start)) {
		t.Errorf("%s: V5: replay gives %d bytes, want %d", name, len(got), len(w.span(start)))
	}
	if err := w.sweep(); err != nil {
		t.Errorf("%s: sweep: %v", name, err)
	}
	report, err := catalog.Fsck(context.Background(), w.inner, catalog.FsckOptions{
		Deep: true, Grace: time.Nanosecond,
	})
	if err != nil {
		t.Errorf("%s: fsck: %v", name, err)
		return
	}
	for _, p := range report.Problems {
		t.Errorf("%s: %s: %s", name, p.Key, p.What)
	}
	segments := int64(0)
	_ = catalog.EachObject(context.Background(), w.inner, "segments/",
		func(_ context.Context, os []objstore.Info) error {
			segments += int64(len(os))
			return nil
		})
	if segments != report.Segments {
		t.Errorf("%s: %d segment objects after a sweep, %d are live", name, segments, report.Segments)
	}
}

// replayAll reads the partition from the bucket alone.
func (w *world) replayAll() []byte {
	ctx := context.Background()
	foot := cache.NewFooters(w.inner, cache.DefaultFooterConfig(), nil)
	defer foot.Close()
	streams, err := replay.New(w.inner, foot, replay.DefaultConfig(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := catalog.OpenReader(ctx, w.inner)
	if err != nil {
		w.t.Fatal(err)
	}
	it, err := streams.Open(ctx, r.Partition(tp0), replay.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer it.Close()
	var all []byte
	for {
		run, err := it.Next(ctx)
		if err == io.EOF {
			return all
		}
		if err != nil {
			w.t.Errorf("replay: %v", err)
			return all
		}
		all = append(all, run.Bytes...)
		run.Release()
	}
}

// TestEveryCallFailsInEveryWay runs the scenario once quietly, then once for every call that the
// sealer and the sweep make and every way in which it can fail.
func TestEveryCallFailsInEveryWay(t *testing.T) {
	first, calls := 0, []faulty.Call(nil)
	t.Run("quiet", func(t *testing.T) {
		w := newWorld(t)
		w.createTopic()
		first = len(w.store.Calls())
		w.life()
		if err := w.sweep(); err != nil {
			t.Fatal(err)
		}
		calls = w.store.Calls()
		w.holds("quiet")
	})
	if len(calls) == 0 {
		t.FailNow()
	}
	step := 1
	if testing.Short() {
		step = 5
	}
	for i := first; i < len(calls); i += step {
		c := calls[i]
		for _, f := range faulty.Faults(c.Op, !c.Cond.Always()) {
			name := fmt.Sprintf("call %d %s %s: %s", c.N, c.Op, c.Key, f)
			t.Run(fmt.Sprintf("%d-%s-%s", c.N, c.Op, f), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.createTopic()
				w.store.FailCall(c.N, f)
				w.life()
				_ = w.sweep() // may be the call that fails
				w.holds(name)
			})
		}
	}
}

// TestCrashAtEveryCall ends the process at each call of the sealer, before and after its effect, and
// starts again: sealing goes on, nothing is lost, and one sweep leaves nothing behind.
func TestCrashAtEveryCall(t *testing.T) {
	for n := 1; ; n++ {
		reached := true
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-%t", n, after), func(t *testing.T) {
				w := newWorld(t)
				w.createTopic()
				reached = w.crashAt(len(w.store.Calls())+n, after)
				w.append(40, 1500)
				w.set(func(s *settings.Topic) { s.LocalRetentionBytes = 0 })
				w.seal()
				w.until("release", func() bool { return w.log.LocalLogStartOffset() == w.next })
				w.holds("crash at " + t.Name())
			})
		}
		if !reached || t.Failed() {
			return
		}
	}
}

// crashAt seals and crashes at a call; false: there is no such call.
func (w *world) crashAt(n int, after bool) bool {
	fault := faulty.ResetBefore
	if after {
		fault = faulty.ResetAfter
	}
	w.append(40, 1500)
	_, _ = w.log.Roll()
	w.append(40, 1500)
	_, _ = w.log.Roll()
	// From this call on the store cannot be reached: the process learns of nothing any more.
	w.store.FailCall(n, fault)
	for next := n + 1; next < n+200; next++ {
		w.store.FailCall(next, faulty.Unavailable)
	}
	w.sealer.Notify(tp0)
	reached := true
	w.until("the crash, or the end", func() bool {
		head, _ := w.log.manifest.Head()
		reached = len(w.store.Calls()) >= n
		return reached || head.VerifiedEnd == w.next
	})
	w.stop()
	w.store.Quiet()
	w.crash()
	return reached
}

// TestCallsFailAtRandom fails a third of all calls; the seed replays a run as far as goroutines
// allow.
func TestCallsFailAtRandom(t *testing.T) {
	for range 6 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t)
			w.createTopic()
			w.store.Random(seed, 0.3)
			w.life()
			for range 3 {
				_ = w.sweep()
			}
			w.holds(fmt.Sprintf("seed %d", seed))
		})
	}
}
