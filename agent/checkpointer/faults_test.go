package checkpointer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/compaction/gc"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
)

// TestRestoreEqualsTheLastValues writes, cleans, saves and loses disks at random.
func TestRestoreEqualsTheLastValues(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed, mem.New())
			for range 60 {
				l := w.logs[w.rng.IntN(len(w.logs))]
				switch w.rng.IntN(12) {
				case 0:
					w.loseDisk()
				case 1, 2:
					if err := w.flush(t.Context()); err != nil {
						t.Fatal(err)
					}
				case 3:
					w.clean(l)
				case 4:
					w.expire(l)
				default:
					w.write(l)
				}
			}
			w.loseDisk()
			w.checkBucket()
		})
	}
}

// TestNoFaultLosesACheckpoint lets the store fail at random while all that goes on.
func TestNoFaultLosesACheckpoint(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			store := faulty.New(mem.New())
			w := newWorld(t, seed, store)
			for range 60 {
				l := w.logs[w.rng.IntN(len(w.logs))]
				switch w.rng.IntN(10) {
				case 0:
					store.Quiet()
					if w.rng.IntN(2) == 0 { // what was late lands while the old process is dead
						store.Land(t.Context())
					}
					w.loseDisk()
				case 1, 2, 3:
					store.Random(w.rng.Uint64(), 0.2)
					if err := w.flush(t.Context()); isLocal(err) {
						t.Fatal(err)
					}
					store.Quiet()
				case 4:
					w.clean(l)
				default:
					w.write(l)
				}
			}
			store.Land(t.Context())
			w.loseDisk()
			store.Land(t.Context())
			w.checkBucket()
		})
	}
}

// TestEveryCallFailsOnce makes each call of two saves and a restore fail in each way that it can, and
// the process die there or go on.
func TestEveryCallFailsOnce(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{true, false} {
		for nth := 1; ; nth++ {
			reached := false
			for _, f := range allFaults() {
				reached = failOnce(t, nth, f, dies) || reached
			}
			if !reached {
				if nth < 10 {
					t.Fatalf("only %d calls", nth)
				}
				break
			}
		}
	}
}

func allFaults() []faulty.Fault {
	return append(faulty.Faults(faulty.Put, true), faulty.Truncated, faulty.Corrupt)
}

// failOnce reports whether there was a call of that number that can fail so.
func failOnce(t *testing.T, nth int, f faulty.Fault, dies bool) bool {
	store := faulty.New(mem.New())
	w := newWorld(t, 5, store)
	for range 8 {
		for _, l := range w.logs {
			w.write(l)
		}
	}
	before := len(store.Calls())
	store.FailCall(before+nth, f)
	failed := w.flush(t.Context())
	if isLocal(failed) {
		t.Fatalf("call %d, %s: %v", nth, f, failed)
	}
	if !dies || failed == nil {
		for _, l := range w.logs {
			w.write(l)
		}
		if err := w.flush(t.Context()); isLocal(err) {
			t.Fatalf("call %d, %s: %v", nth, f, err)
		}
	}
	reached := len(store.Calls()) >= before+nth
	store.Quiet()
	store.Land(t.Context())
	w.loseDisk()
	if !dies { // the new process saves on top of what was left
		for _, l := range w.logs {
			w.write(l)
		}
		if err := w.flush(t.Context()); err != nil {
			t.Fatalf("call %d, %s: %v", nth, f, err)
		}
		w.loseDisk()
	}
	w.checkBucket()
	return reached
}

func TestOldProcessIsFenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, mem.New())
	for _, l := range w.logs {
		w.write(l)
		if l.open != nil {
			w.end(l, true)
		}
	}
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, oldLogs := w.saver, []fakeLog{}
	for _, l := range w.logs {
		oldLogs = append(oldLogs, *l)
	}
	w.loseDisk()
	for i := range oldLogs {
		l := &oldLogs[i]
		old.Add(l)
		if _, err := l.Append(oneRecord(t, "key", "late"), l.epoch, noTime); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Flush(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
		t.Fatalf("the old process saves: %v", err)
	}
	for _, l := range w.logs {
		w.write(l)
	}
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.loseDisk()
	w.checkBucket()
}

// TestManyPartitionsShareObjectAndSwap counts the requests of a round.
func TestManyPartitionsShareObjectAndSwap(t *testing.T) {
	t.Parallel()
	store := faulty.New(mem.New())
	w := newWorldOf(t, rand.New(rand.NewPCG(1, 1)), store, 50)
	round := func() map[faulty.Op]int {
		for _, l := range w.logs {
			w.append(l, oneRecord(t, "key", "value"))
		}
		before := len(store.Calls())
		if err := w.saver.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[faulty.Op]int{}
		for _, c := range store.Calls()[before:] {
			got[c.Op]++
		}
		return got
	}
	first := round()
	if first[faulty.Put] > 4+len(w.logs) { // the store's clock, manifests, object, ledger
		t.Fatalf("the first round made %v", first)
	}
	second := round()
	if second[faulty.Put] != 2 || second[faulty.Head] != 1 || second[faulty.Get] != 0 {
		t.Fatalf("a round of %d partitions made %v", len(w.logs), second)
	}
	if idle := len(store.Calls()); w.saver.Flush(t.Context()) != nil || len(store.Calls()) != idle {
		t.Fatal("an idle checkpointer asks the store")
	}
}

func TestUncompactedLogGivesUpItsCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, mem.New())
	l := w.logs[0]
	w.append(l, oneRecord(t, "key", "value"))
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.compacted = false
	if err := w.saver.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, ok := w.cat.Ledger(checkpoint.Ref{Agent: 1}).Known()
	if _, there := v.Entry(l.tp); !ok || there {
		t.Fatal("the checkpoint is still there")
	}
	l.saved, l.history = 0, nil
	w.loseDisk()
	w.checkBucket()
}

func TestDamagedObjectIsNotRestored(t *testing.T) {
	t.Parallel()
	store := mem.New()
	w := newWorld(t, 2, store)
	l := w.logs[0]
	w.append(l, oneRecord(t, "key", "value"))
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, _ := w.cat.Ledger(checkpoint.Ref{Agent: 1}).Known()
	o := v.Objects[0]
	key := v.ObjectKey(o.Object)
	raw, _, err := objstore.ReadAll(t.Context(), store, key, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := v.Entry(l.tp)
	raw[e.Parts[0].Position+70] ^= 1
	if _, err := store.Put(t.Context(), key, objstore.Bytes(raw), objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	h, _ := w.cat.Partition(l.tp).Head()
	s, _, err := w.saver.Find(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.saver.Restore(t.Context(), s, func([]byte) error { return nil })
	if !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

func TestRunSavesWithinItsAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, mem.New())
	w.saver.now = nil
	w.saver.cfg.MaxAge, w.saver.cfg.ScanInterval = 100*timeUnit, timeUnit
	w.saver.now = timeNow
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	l := w.logs[0]
	w.append(l, oneRecord(t, "key", "value"))
	go func() { done <- w.saver.Run(ctx) }()
	waitFor(t, func() bool { return w.saver.SavedEnd(l.tp) == 1 })
	if age := w.saver.oldestSeconds(); age != 0 {
		t.Fatalf("%v s unsaved", age)
	}
	if err := w.saver.Remove(t.Context(), l.tp); err != nil || w.saver.Has(l.tp) {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// hooked calls before of certain calls.
type hooked struct {
	objstore.Store
	onHead func(key string)
	onPut  func(key string) (swallow bool)
}

func (h *hooked) Head(ctx context.Context, key string) (objstore.Info, error) {
	if h.onHead != nil {
		h.onHead(key)
	}
	return h.Store.Head(ctx, key)
}

func (h *hooked) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	if h.onPut != nil && h.onPut(key) {
		return objstore.Info{Key: key, Size: body.Size}, nil
	}
	return h.Store.Put(ctx, key, body, cond)
}

// TestSweepLeavesWhatIsBeingSavedAlone sweeps between the put of an object and the swap that names it.
func TestSweepLeavesWhatIsBeingSavedAlone(t *testing.T) {
	t.Parallel()
	store := &hooked{Store: mem.New()}
	w := newWorld(t, 2, store)
	saves := func(int32) (gc.Saver, bool) {
		return gc.Saver{Incarnation: w.agent.Incarnation, InFlight: w.saver.InFlight}, true
	}
	sweeps := 0
	store.onHead = func(key string) {
		if !strings.HasPrefix(key, checkpoint.Prefix) {
			return
		}
		sweeps++
		if _, err := gc.New(w.cat, gc.Options{Grace: -1, Saves: saves}).Run(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		w.append(w.logs[0], oneRecord(t, "key", "value"))
		if err := w.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sweeps != 3 {
		t.Fatalf("%d sweeps", sweeps)
	}
	store.onHead = nil
	// An object that no save goes on with is not left alone.
	lost := checkpoint.Ref{Agent: 1}.ObjectKey(
		checkpoint.Object{Incarnation: w.agent.Incarnation, Sequence: 99})
	if _, err := store.Put(t.Context(), lost, objstore.Bytes([]byte("x")), objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := gc.New(w.cat, gc.Options{Grace: -1, Saves: saves}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Head(t.Context(), lost); !errors.Is(err, objstore.ErrNotFound) {
		t.Fatal(err)
	}
	w.history(0, "key", "value")
	w.loseDisk()
	w.checkBucket()
}

// TestObjectThatTheStoreLostIsNotNamed has a store that acks an object and does not keep it.
func TestObjectThatTheStoreLostIsNotNamed(t *testing.T) {
	t.Parallel()
	store := &hooked{Store: mem.New()}
	w := newWorld(t, 2, store)
	w.append(w.logs[0], oneRecord(t, "key", "value"))
	store.onPut = func(key string) bool { return strings.Contains(key, "/objects/") }
	if err := w.saver.Flush(t.Context()); !errors.Is(err, ErrVerify) {
		t.Fatal(err)
	}
	if end := w.saver.SavedEnd(w.logs[0].tp); end != 0 {
		t.Fatalf("saved up to %d", end)
	}
	store.onPut = nil
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.history(0, "key", "value")
	w.loseDisk()
	w.checkBucket()
}
