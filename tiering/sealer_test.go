package tiering

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/kafka"
)

func TestSealNowCostsTwoPutsAndTheCommit(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	const segments = 8
	for range segments {
		l.append(t, time.Now(), 100)
		_, _ = l.Roll()
	}
	first := len(b.store.Calls())
	b.run()
	b.seal(l)
	calls := b.store.Calls()[first:]
	if n := count(calls, faulty.Put, "segments/"); n != segments {
		t.Errorf("%d PUTs of objects for %d segments", n, segments)
	}
	if n := count(calls, faulty.Put, "manifests/"); n > segments+1 {
		t.Errorf("%d PUTs of heads for %d segments", n, segments)
	}
	if n := count(calls, faulty.Head, "segments/"); n != segments {
		t.Errorf("%d HEADs for %d segments", n, segments)
	}
	head := known(l.Manifest())
	if head.VerifiedEnd != l.next || len(head.Tail) != segments || head.FenceEpoch != 2 {
		t.Errorf("head: %+v", head)
	}
}

func TestIdlePartitionsAskTheStoreForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		var logs []*fakeLog
		for n := range int32(10_000) {
			logs = append(logs, b.add(n))
		}
		b.run()
		synctest.Wait()
		first := len(b.store.Calls())
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(b.store.Calls()) - first; n != 0 {
			t.Errorf("%d calls to the store for idle partitions", n)
		}
		if looks := logs[77].looks; looks > 400 {
			t.Errorf("%d looks at an idle partition in an hour", looks)
		}
	})
}

func TestActiveSegmentIsSealedAtItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		l.set(func(l *fakeLog) { l.settings.SealAgeMax = 10 * time.Minute })
		b.run()
		time.Sleep(17 * time.Second)
		l.append(t, time.Now(), 100)
		began := time.Now()
		for known(l.Manifest()).VerifiedEnd < l.next {
			time.Sleep(time.Second)
			if time.Since(began) > time.Hour {
				t.Fatal("not sealed within an hour")
			}
		}
		if age := time.Since(began); age < 10*time.Minute || age > 10*time.Minute+2*time.Second {
			t.Errorf("sealed at the age of %s", age)
		}
	})
}

// Bug: a segment was rolled up to ScanInterval after its age, however short that was, because the
// look before its first append saw nothing to wait for.
func TestActiveSegmentIsSealedAtAnAgeBelowTheScanInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		l.set(func(l *fakeLog) { l.settings.SealAgeMax = 2 * time.Second })
		b.run()
		time.Sleep(time.Minute + 17*time.Millisecond)
		l.append(t, time.Now(), 100)
		time.Sleep(2500 * time.Millisecond)
		if end := known(l.Manifest()).VerifiedEnd; end != l.next {
			t.Errorf("verified end %d of %d half a second after the age", end, l.next)
		}
	})
}

func TestNothingAtOrAboveTheLastStableOffsetIsSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		for range 3 {
			l.append(t, time.Now(), 100)
			_, _ = l.Roll()
		}
		l.set(func(l *fakeLog) { l.stable = 15 })
		b.run()
		time.Sleep(time.Minute)
		if end := known(l.Manifest()).SealedEnd(); end != 10 {
			t.Errorf("sealed up to %d, last stable offset is 15", end)
		}
		l.set(func(l *fakeLog) { l.stable = 20 })
		time.Sleep(time.Second)
		if end := known(l.Manifest()).VerifiedEnd; end != 20 {
			t.Errorf("verified up to %d soon after the last stable offset moved to 20", end)
		}
	})
}

func TestStoreOutageIsOutlived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		b.store.Random(1, 1)
		b.run()
		l.append(t, time.Now(), 100)
		_, _ = l.Roll()
		b.sealer.Notify(l.tp)
		time.Sleep(2 * time.Hour)
		if n := count(b.store.Calls(), faulty.Put, "segments/"); n > 2000 {
			t.Errorf("%d uploads tried in two hours", n)
		}
		if n := testutil.ToFloat64(b.sealer.metrics.failures); n < 100 {
			t.Errorf("%v failures counted", n)
		}
		b.store.Quiet()
		time.Sleep(time.Minute)
		if end := known(l.Manifest()).VerifiedEnd; end != 10 {
			t.Errorf("verified end %d a minute after the store came back", end)
		}
	})
}

func TestSealNowGivesUpWithItsContextAndSaysWhy(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	l.append(t, time.Now(), 100)
	b.store.Add(faulty.Rule{Op: faulty.Put, Prefix: "segments/", Times: -1, Fault: faulty.Unavailable})
	b.run()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := b.sealer.SealNow(ctx, []kafka.TopicPartition{l.tp, {Partition: 99}})
	if !errors.Is(r[0].Err, context.DeadlineExceeded) ||
		!errors.Is(r[0].Err, objstore.ErrUnavailable) {
		t.Errorf("got %v", r[0].Err)
	}
	if !errors.Is(r[1].Err, ErrUnknownPartition) {
		t.Errorf("got %v", r[1].Err)
	}
}

func TestFencedLeaderCommitsNothing(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	_, err := l.manifest.Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
		return h.Fence(7)
	})
	if err != nil {
		t.Fatal(err)
	}
	l.append(t, time.Now(), 100)
	b.run()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := b.sealer.SealNow(ctx, []kafka.TopicPartition{l.tp})
	if !errors.Is(r[0].Err, ErrFenced) || known(l.Manifest()).SealedEnd() != 0 {
		t.Errorf("got %v, sealed end %d", r[0].Err, known(l.Manifest()).SealedEnd())
	}
}

func TestSealingGoesOnWithinASegment(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	l.append(t, time.Now(), 100)
	l.append(t, time.Now(), 100)
	b.run()
	b.seal(l)
	// The same records in one segment with more behind them, as after a restart on a copy of the log
	// that rolled elsewhere.
	other := newFakeLog(b.cat, 0, 0)
	for range 5 {
		other.append(t, time.Now(), 100)
	}
	b.sealer.Add(other)
	b.seal(other)
	head := known(other.Manifest())
	if len(head.Tail) != 2 || head.Tail[1].Range() != (kafka.OffsetRange{Base: 20, Next: 50}) {
		t.Errorf("tail %+v", head.Tail)
	}
}

func TestRecordsBelowTheLogStartAreNotSealed(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	for range 4 {
		l.append(t, time.Now(), 100)
		_, _ = l.Roll()
	}
	_, err := l.manifest.Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
		return h.MoveLogStart(25, 2, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	b.run()
	b.seal(l)
	head := known(l.Manifest())
	if len(head.Tail) != 2 || head.Tail[0].BaseOffset != 20 || head.VerifiedEnd != 40 {
		t.Errorf("head %+v", head)
	}
	if start := l.LocalLogStartOffset(); start != 20 {
		t.Errorf("local log start offset %d: what lies below the log start was not released", start)
	}
}

func TestObjectThatVanishedIsPutAgain(t *testing.T) {
	for _, damage := range []string{"missing", "changed"} {
		b := newBench(t, testConfig())
		l := b.add(0)
		l.append(t, time.Now(), 100)
		// The first HEAD fails, so that the object can be damaged between commit and verification.
		b.store.Add(faulty.Rule{
			Op: faulty.Head, Prefix: "segments/", Times: 3, Fault: faulty.Unavailable,
			Delay: 20 * time.Millisecond,
		})
		b.run()
		done := make(chan SealResult, 1)
		go func() { done <- b.sealer.SealNow(t.Context(), []kafka.TopicPartition{l.tp})[0] }()
		for known(l.Manifest()).SealedEnd() == 0 {
			<-time.After(time.Millisecond)
		}
		key := known(l.Manifest()).Tail[0].Key(l.tp)
		if damage == "missing" {
			_ = b.store.Delete(t.Context(), key)
		} else if _, err := b.store.Put(t.Context(), key, objstore.Bytes([]byte("x")),
			objstore.Condition{}); err != nil {
			t.Fatal(err)
		}
		if r := <-done; r.Err != nil || r.VerifiedEnd != 10 {
			t.Errorf("%s: %+v", damage, r)
		}
		e := known(l.Manifest()).Tail[0]
		if info, err := b.store.Head(t.Context(), key); err != nil || info.CRC32C != e.CRC32C {
			t.Errorf("%s: %+v %v", damage, info, err)
		}
		if n := testutil.ToFloat64(b.sealer.metrics.verifyFailures); n != 1 {
			t.Errorf("%s: %v failures counted", damage, n)
		}
		b.close()
	}
}

func TestRemoveWaitsForTheStepAndEndsIt(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	l.append(t, time.Now(), 100)
	_, _ = l.Roll()
	b.store.Add(faulty.Rule{Op: faulty.Put, Prefix: "segments/", Times: -1, Delay: time.Hour})
	b.run()
	for count(b.store.Calls(), faulty.Put, "segments/") == 0 {
		<-time.After(time.Millisecond)
	}
	if err := b.sealer.Remove(t.Context(), l.tp); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sealer.Status(t.Context(), l.tp); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("status after Remove: %v", err)
	}
}

func TestStatusTellsWhatIsWhere(t *testing.T) {
	b := newBench(t, testConfig())
	defer b.close()
	l := b.add(0)
	for range 3 {
		l.append(t, time.Now(), 100)
		_, _ = l.Roll()
	}
	b.run()
	b.seal(l)
	l.set(func(l *fakeLog) { l.rolled = l.rolled[2:] }) // released
	l.append(t, time.Now(), 100)
	got, err := b.sealer.Status(t.Context(), l.tp)
	if err != nil {
		t.Fatal(err)
	}
	var states []State
	for _, s := range got {
		states = append(states, s.State)
	}
	if !slices.Equal(states, []State{Released, Sealed, Hot}) || got[0].NextOffset != 20 ||
		got[0].Segments != 2 || got[2].BaseOffset != 30 || got[2].NextOffset != 40 || got[2].Bytes == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestConfigNamesTheField(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.UploadsMax = 0 },
		func(c *Config) { c.BytesPerSecondMax = -1 },
		func(c *Config) { c.ScanInterval = 0 },
		func(c *Config) { c.RetentionInterval = 0 },
		func(c *Config) { c.RetryPauseMin = 0 },
		func(c *Config) { c.StepTimeout = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestLimiterSpacesOutUploads(t *testing.T) {
	l := newLimiter(1000)
	now := time.Unix(100, 0)
	for i, want := range []time.Duration{0, time.Second, 2 * time.Second} {
		if at := l.reserve(1000, now); at.Sub(now) != want {
			t.Errorf("read %d at %s, want %s", i, at.Sub(now), want)
		}
	}
	if at := l.reserve(1, now.Add(time.Minute)); at != now.Add(time.Minute) {
		t.Errorf("after a pause: %s", at)
	}
}
