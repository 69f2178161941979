package clean

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// fakeLog is as dirty as it is told to be, and clean after a cleaning.
type fakeLog struct {
	name string

	mu       sync.Mutex
	settings settings.Topic
	state    hotlog.Cleanable
	takes    time.Duration
	bytes    int // that a cleaning paces
	err      error
	cleaned  []time.Time
	maps     map[*keys.Map]bool
}

func (l *fakeLog) TopicPartition() kafka.TopicPartition { return kafka.TopicPartition{} }
func (l *fakeLog) Topic() string                        { return l.name }

func (l *fakeLog) Settings() settings.Topic {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settings
}

func (l *fakeLog) Cleanable(time.Time) hotlog.Cleanable {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *fakeLog) Clean(
	m *keys.Map, _ time.Time, pace func(int) error,
) (out hotlog.Cleaned, err error) {
	if l.takes > 0 {
		time.Sleep(l.takes)
	}
	for range l.bytes / 1000 {
		if err := pace(1000); err != nil {
			return out, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cleaned = append(l.cleaned, time.Now())
	if l.maps == nil {
		l.maps = map[*keys.Map]bool{}
	}
	l.maps[m] = true
	if l.err == nil {
		l.state.CleanBytes += l.state.DirtyBytes
		l.state.DirtyBytes, l.state.DirtySince = 0, kafka.NoTimestamp
	}
	return out, l.err
}

func (l *fakeLog) times() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.cleaned)
}

func dirtyLog(name string, clean, dirty int64) *fakeLog {
	st := settings.DefaultTopic()
	st.CleanupPolicy = "compact"
	return &fakeLog{name: name, settings: st, state: hotlog.Cleanable{
		CleanBytes: clean, DirtyBytes: dirty, DirtySince: kafka.NoTimestamp,
	}}
}

// bench runs a cleaner over logs.
type bench struct {
	mu       sync.Mutex
	settings settings.Cleaner
	logs     []Log
	cleaner  *Cleaner
	reg      *prometheus.Registry
	cancel   context.CancelFunc
	done     chan error
}

func newBench(logs ...*fakeLog) *bench {
	b := &bench{
		settings: settings.DefaultAgent().Cleaner, reg: prometheus.NewRegistry(),
		done: make(chan error, 1),
	}
	for _, l := range logs {
		b.logs = append(b.logs, l)
	}
	b.cleaner = New(Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: b.reg,
		Logs: func() []Log {
			b.mu.Lock()
			defer b.mu.Unlock()
			return append([]Log(nil), b.logs...)
		},
		Settings: func() settings.Cleaner {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.settings
		},
	})
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	go func() { b.done <- b.cleaner.Run(ctx) }()
}

func (b *bench) close(t *testing.T) {
	t.Helper()
	b.cancel()
	if err := <-b.done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func (b *bench) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestTheDirtiestComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := dirtyLog("a", 40, 60), dirtyLog("b", 10, 90), dirtyLog("c", 60, 40)
		deleted := dirtyLog("d", 0, 100)
		deleted.settings.CleanupPolicy = "delete"
		for _, l := range []*fakeLog{a, b, c} {
			l.takes = time.Second
		}
		bench := newBench(a, b, c, deleted)
		bench.run()
		defer bench.close(t)
		time.Sleep(3 * time.Second)
		if a.times() != 1 || b.times() != 1 || c.times() != 0 || deleted.times() != 0 {
			t.Fatalf("cleaned %d, %d, %d, %d times", a.times(), b.times(), c.times(), deleted.times())
		}
		if !b.cleaned[0].Before(a.cleaned[0]) {
			t.Error("the dirtiest came second")
		}
		if got := bench.metric(t, "varve_clean_max_dirty_percent"); got != 40 {
			t.Errorf("dirtiest %v percent", got)
		}
		// What was dirty below the ratio becomes dirtier.
		c.mu.Lock()
		c.state.DirtyBytes = 100
		c.mu.Unlock()
		time.Sleep(20 * time.Second)
		if c.times() != 1 {
			t.Errorf("cleaned %d times", c.times())
		}
		if got := bench.metric(t, "varve_clean_cleanings_total"); got != 3 {
			t.Errorf("%v cleanings", got)
		}
	})
}

func TestMaxCompactionLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := dirtyLog("a", 1000, 1)
		l.settings.CompactionLagMax = time.Hour
		l.state.DirtySince = kafka.TimestampOf(time.Now())
		bench := newBench(l)
		bench.run()
		defer bench.close(t)
		time.Sleep(59 * time.Minute)
		if l.times() != 0 {
			t.Fatal("cleaned early")
		}
		time.Sleep(2 * time.Minute)
		if l.times() != 1 {
			t.Fatal("not cleaned in time")
		}
		if got := bench.metric(t, "varve_clean_max_compaction_delay_seconds"); got <= 0 || got > 16 {
			t.Errorf("%v s late", got)
		}
	})
}

func TestWhatCannotBeCleanedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, full := dirtyLog("bad", 0, 100), dirtyLog("full", 0, 50)
		bad.err = fmt.Errorf("clean: %w", hotlog.ErrCorrupt)
		full.err = hotlog.ErrDiskFull
		bench := newBench(bad, full)
		bench.run()
		defer bench.close(t)
		time.Sleep(46 * time.Second)
		if bad.times() != 1 || full.times() != 4 {
			t.Errorf("tried %d and %d times", bad.times(), full.times())
		}
		if n, b := bench.metric(t, "varve_clean_uncleanable_partitions"),
			bench.metric(t, "varve_clean_uncleanable_bytes"); n != 1 || b != 100 {
			t.Errorf("%v uncleanable with %v bytes", n, b)
		}
		again := dirtyLog("bad", 0, 100) // opened again
		bench.mu.Lock()
		bench.logs = []Log{again}
		bench.mu.Unlock()
		time.Sleep(16 * time.Second)
		if n := bench.metric(t, "varve_clean_uncleanable_partitions"); n != 0 || again.times() != 1 {
			t.Errorf("%v uncleanable, cleaned %d times", n, again.times())
		}
	})
}

func TestThreadsShareTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs []*fakeLog
		for i := range 6 {
			l := dirtyLog(fmt.Sprint(i), 0, 100)
			l.takes = 10 * time.Second
			logs = append(logs, l)
		}
		bench := newBench(logs...)
		bench.settings.Threads = 3
		bench.run()
		defer bench.close(t)
		time.Sleep(21 * time.Second)
		maps := map[*keys.Map]bool{}
		for _, l := range logs {
			if l.times() != 1 {
				t.Errorf("%s cleaned %d times", l.name, l.times())
			}
			for m := range l.maps {
				maps[m] = true
			}
		}
		if len(maps) != 3 {
			t.Errorf("%d maps", len(maps))
		}
	})
}

func TestOffMeansOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := dirtyLog("a", 0, 100)
		bench := newBench(l)
		bench.settings.Enabled = false
		bench.run()
		defer bench.close(t)
		time.Sleep(time.Hour)
		bench.mu.Lock()
		bench.settings.Enabled, bench.settings.Threads = true, 0
		bench.mu.Unlock()
		time.Sleep(time.Hour)
		if l.times() != 0 {
			t.Error("cleaned")
		}
	})
}

func TestIOIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := dirtyLog("a", 0, 100)
		l.bytes = 100_000
		bench := newBench(l)
		bench.settings.BytesPerSecond = 5000
		began := time.Now()
		bench.run()
		time.Sleep(time.Minute)
		if l.times() != 1 {
			t.Fatal("not done in a minute")
		}
		if took := l.cleaned[0].Sub(began); took < 19*time.Second || took > 21*time.Second {
			t.Errorf("100 kB at 5 kB/s took %v", took)
		}
		// A stop does not wait for a pause.
		l.mu.Lock()
		l.state.DirtyBytes, l.bytes = 1_000_000, 1<<30
		l.mu.Unlock()
		time.Sleep(time.Minute)
		stopped := time.Now()
		bench.close(t)
		if took := time.Since(stopped); took > 0 || l.times() != 1 {
			t.Errorf("stopped after %v", took)
		}
	})
}

func TestMetricsAreNamedWell(t *testing.T) {
	b := newBench()
	if problems, err := testutil.GatherAndLint(b.reg); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// A cleaning takes half of the time at most, whatever the rate.
func TestCleaningsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		turn := p.turn()
		began := time.Now()
		for range 100 {
			time.Sleep(3 * time.Millisecond) // work
			if err := turn.pace(t.Context(), 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 600*time.Millisecond {
			t.Errorf("300 ms of work took %v", took)
		}
	})
}
