package tiering

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-log/varve/kafka"
)

func TestRetentionByTimeCountsWholeSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		l.set(func(l *fakeLog) { l.settings.RetentionTime = 10 * time.Hour })
		b.run()
		for range 4 {
			l.append(t, time.Now(), 100)
			b.seal(l)
			time.Sleep(4 * time.Hour)
		}
		// 16, 12, 8 and 4 hours old.
		if start := l.LogStartOffset(); start != 20 {
			t.Errorf("log start offset %d, want 20", start)
		}
		if start := l.LocalLogStartOffset(); start != 20 {
			t.Errorf("local log start offset %d, want 20", start)
		}
	})
}

func TestRetentionByBytesCountsBothTiersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		b.run()
		for range 6 {
			l.append(t, time.Now(), 100)
			b.seal(l)
		}
		l.append(t, time.Now(), 100)
		each := l.SizeBytes() / 7
		// Seven segments of equal size, six of them on both tiers: as in Kafka, one goes only while what
		// stays is not less than the bound.
		l.set(func(l *fakeLog) { l.settings.RetentionBytes = 4*each + each/2 })
		time.Sleep(10 * time.Minute)
		if start := l.LogStartOffset(); start != 20 {
			t.Errorf("log start offset %d, want 20", start)
		}
		// Released segments count as before.
		l.set(func(l *fakeLog) { l.settings.LocalRetentionBytes = 0 })
		time.Sleep(10 * time.Minute)
		if start, local := l.LogStartOffset(), l.LocalLogStartOffset(); start != 20 || local != 60 {
			t.Errorf("log start %d, local %d; want 20 and 60", start, local)
		}
	})
}

func TestLocalRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		l.set(func(l *fakeLog) { l.settings.LocalRetentionTime = time.Hour })
		b.run()
		for range 3 {
			l.append(t, time.Now(), 100)
			b.seal(l)
			time.Sleep(40 * time.Minute)
		}
		if start, local := l.LogStartOffset(), l.LocalLogStartOffset(); start != 0 || local != 20 {
			t.Errorf("log start %d, local %d; want 0 and 20", start, local)
		}
	})
}

func TestTopicKeptLocalHasItsRetentionAndIsNotSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		l.set(func(l *fakeLog) {
			l.settings.RemoteStorage = false
			l.settings.RetentionTime = 10 * time.Hour
			l.settings.SealAgeMax = time.Minute
		})
		b.run()
		for range 4 {
			l.append(t, time.Now(), 100)
			_, _ = l.Roll()
			time.Sleep(4 * time.Hour)
		}
		if start, local := l.LogStartOffset(), l.LocalLogStartOffset(); start != 20 || local != 20 {
			t.Errorf("log start %d, local %d; want 20 and 20", start, local)
		}
		if end := known(l.Manifest()).SealedEnd(); end != 0 {
			t.Errorf("sealed up to %d", end)
		}
		l.append(t, time.Now(), 100)
		time.Sleep(time.Hour)
		if _, holds := l.ActiveSince(); !holds {
			t.Error("the active segment was rolled by varve.seal.max.age.ms though nothing is sealed")
		}
		r := b.sealer.SealNow(context.Background(), []kafka.TopicPartition{l.tp})
		if !errors.Is(r[0].Err, ErrLocalOnly) {
			t.Errorf("got %v", r[0].Err)
		}
		if all := b.sealer.SealAll(context.Background()); len(all) != 0 {
			t.Errorf("SealAll: %+v", all)
		}
	})
}
