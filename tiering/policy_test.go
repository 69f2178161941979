package tiering

import (
	"testing"
	"testing/synctest"
	"time"
)

// The active segment of a topic that is not sealed was never rolled while nothing was appended, so
// its records outlived their retention for ever.
func TestRetentionRollsTheActiveSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		l.set(func(l *fakeLog) {
			l.settings.RemoteStorage = false
			l.settings.RetentionTime = time.Hour
		})
		b.run()
		l.append(t, time.Now(), 100)
		time.Sleep(59 * time.Minute)
		if l.LogStartOffset() != 0 {
			t.Fatalf("log start %d after 59 minutes", l.LogStartOffset())
		}
		time.Sleep(3 * time.Minute)
		if l.LogStartOffset() != 10 || l.LocalLogStartOffset() != 10 {
			t.Errorf("log start %d, local %d", l.LogStartOffset(), l.LocalLogStartOffset())
		}
	})
}

// Another retention took up to five minutes to count.
func TestChangedRetentionCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		b.run()
		l.append(t, time.Now(), 100)
		b.seal(l)
		time.Sleep(2 * time.Hour)
		l.set(func(l *fakeLog) { l.settings.RetentionTime = time.Hour })
		b.sealer.Notify(l.tp)
		synctest.Wait()
		if l.LogStartOffset() != 10 {
			t.Errorf("log start %d", l.LogStartOffset())
		}
	})
}

func TestCompactedLogsDoNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		b.run()
		l.append(t, time.Now(), 100)
		b.seal(l)
		l.set(func(l *fakeLog) {
			l.settings.RemoteStorage, l.settings.CleanupPolicy = false, "compact"
			l.settings.RetentionTime, l.settings.RetentionBytes = time.Hour, 1
			l.settings.LocalRetentionTime = 0
		})
		l.append(t, time.Now(), 100)
		_, _ = l.Roll()
		time.Sleep(3 * time.Hour)
		if l.LogStartOffset() != 0 || l.LocalLogStartOffset() != 0 {
			t.Errorf("log start %d, local %d", l.LogStartOffset(), l.LocalLogStartOffset())
		}
		if end := known(l.Manifest()).SealedEnd(); end != 10 {
			t.Errorf("sealed up to %d", end)
		}
		// With delete beside it the sealed part expires, and the local one.
		l.set(func(l *fakeLog) { l.settings.CleanupPolicy = "compact,delete" })
		time.Sleep(10 * time.Minute)
		if l.LogStartOffset() != 20 || l.LocalLogStartOffset() != 20 {
			t.Errorf("log start %d, local %d", l.LogStartOffset(), l.LocalLogStartOffset())
		}
	})
}

// remote.log.copy.disable: what is sealed stays readable, what is not yet stays local, both expire.
func TestCopyDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		b.run()
		l.append(t, time.Now(), 100)
		b.seal(l)
		l.set(func(l *fakeLog) {
			l.settings.RemoteCopyDisable = true
			l.settings.RetentionTime, l.settings.LocalRetentionTime = 2*time.Hour, 2*time.Hour
		})
		l.append(t, time.Now(), 100)
		_, _ = l.Roll()
		time.Sleep(time.Hour)
		if end := known(l.Manifest()).SealedEnd(); end != 10 || l.LogStartOffset() != 0 {
			t.Errorf("sealed up to %d, log start %d", end, l.LogStartOffset())
		}
		time.Sleep(2 * time.Hour)
		if l.LogStartOffset() != 20 || l.LocalLogStartOffset() != 20 {
			t.Errorf("log start %d, local %d", l.LogStartOffset(), l.LocalLogStartOffset())
		}
	})
}

// remote.log.delete.on.disable: what only the bucket has goes when sealing is turned off.
func TestDeleteOnDisable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		defer b.close()
		l := b.add(0)
		b.run()
		for range 3 {
			l.append(t, time.Now(), 100)
			b.seal(l)
		}
		l.set(func(l *fakeLog) { l.settings.LocalRetentionBytes = l.rolled[0].Bytes })
		time.Sleep(10 * time.Minute)
		if l.LogStartOffset() != 0 || l.LocalLogStartOffset() != 20 {
			t.Fatalf("log start %d, local %d", l.LogStartOffset(), l.LocalLogStartOffset())
		}
		l.set(func(l *fakeLog) { l.settings.RemoteDeleteOnOff = true })
		time.Sleep(10 * time.Minute)
		if l.LogStartOffset() != 0 {
			t.Fatalf("log start %d while it is sealed", l.LogStartOffset())
		}
		l.set(func(l *fakeLog) { l.settings.RemoteStorage = false })
		time.Sleep(10 * time.Minute)
		if l.LogStartOffset() != 20 {
			t.Errorf("log start %d", l.LogStartOffset())
		}
	})
}
