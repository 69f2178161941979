package clean

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// Log is a partition that this agent leads, as the Cleaner sees it. It must be comparable and safe
// for concurrent use.
type Log interface {
	TopicPartition() kafka.TopicPartition
	// Topic is the topic's name.
	Topic() string
	// Settings are the topic's effective settings.
	Settings() settings.Topic
	// Cleanable tells how dirty the log is.
	Cleanable(now time.Time) hotlog.Cleanable
	// Clean is hotlog.Log's.
	Clean(m *keys.Map, now time.Time, pace func(bytes int) error) (hotlog.Cleaned, error)
}

// Deps are the parts a Cleaner is made of. Logs, Settings and Logger are required.
type Deps struct {
	// Logs gives the partitions that are open now, compacted or not.
	Logs func() []Log
	// Settings gives the agent's settings now.
	Settings func() settings.Cleaner
	Logger   *slog.Logger
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer
}

// Cleaner cleans compacted logs. Make one with New and start it with Run.
type Cleaner struct {
	d       Deps
	metrics *metrics
	pacer   pacer
	ended   chan struct{} // one of the cleanings has ended

	mu       sync.Mutex
	running  map[Log]bool
	barred   map[Log]time.Time // until when; zero: for good
	maps     []*keys.Map       // that no cleaning uses
	mapBytes int64             // what maps were made for
	mapLoad  float64
	dirtiest float64 // share of the dirtiest log at the last look
	lastLook time.Time
	delay    time.Duration // by how much the last cleaning came after max.compaction.lag.ms
}

// barMin is the least that a log waits after a cleaning of it ended early.
const barMin = time.Second

// New makes a Cleaner.
func New(d Deps) *Cleaner {
	c := &Cleaner{
		d: d, ended: make(chan struct{}, 1), lastLook: time.Now(),
		running: map[Log]bool{}, barred: map[Log]time.Time{},
	}
	c.metrics = newMetrics(d.Registerer, c)
	return c
}

// Run cleans until ctx ends, and waits for the cleanings under way, which end then.
func (c *Cleaner) Run(ctx context.Context) error {
	var cleanings sync.WaitGroup
	defer cleanings.Wait()
	for {
		s := c.d.Settings()
		for s.Enabled && ctx.Err() == nil {
			job, ok := c.take(s, time.Now())
			if !ok {
				break
			}
			cleanings.Go(func() { c.clean(ctx, job) })
		}
		c.giveBack()
		timer := time.NewTimer(max(s.Backoff, time.Millisecond))
		select {
		case <-ctx.Done():
		case <-c.ended:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// job is a cleaning that was begun.
type job struct {
	log      Log
	m        *keys.Map
	now      time.Time
	settings settings.Cleaner
}

// take picks a log and the memory to clean it with; false when there is nothing to do, or no thread
// to do it.
func (c *Cleaner) take(s settings.Cleaner, now time.Time) (job, bool) {
	logs := c.d.Logs() // the lock is not held over calls of a Log
	c.mu.Lock()
	free := len(c.running) < s.Threads
	candidates := c.eligibleLocked(logs, now)
	c.mu.Unlock()
	p := pick(candidates, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastLook, c.dirtiest = now, p.dirtiest
	if p.log == nil || !free {
		return job{}, false
	}
	c.delay = p.delay
	c.running[p.log] = true
	return job{log: p.log, m: c.mapLocked(s), now: now, settings: s}, true
}

// eligibleLocked leaves out what is being cleaned or barred, and forgets bars of logs that are gone.
func (c *Cleaner) eligibleLocked(logs []Log, now time.Time) []Log {
	there := make(map[Log]bool, len(logs))
	var out []Log
	for _, l := range logs {
		there[l] = true
		until, barred := c.barred[l]
		if barred && !until.IsZero() && !now.Before(until) {
			delete(c.barred, l)
			barred = false
		}
		if st := l.Settings(); st.Compacts() && !barred && !c.running[l] {
			out = append(out, l)
		}
	}
	for l := range c.barred {
		if !there[l] {
			delete(c.barred, l)
		}
	}
	return out
}

// mapLocked gives memory of one thread's share.
func (c *Cleaner) mapLocked(s settings.Cleaner) *keys.Map {
	share := s.DedupeBufferBytes / int64(max(s.Threads, 1))
	if share != c.mapBytes || s.LoadFactor != c.mapLoad {
		c.maps, c.mapBytes, c.mapLoad = nil, share, s.LoadFactor
	}
	if n := len(c.maps); n > 0 {
		m := c.maps[n-1]
		c.maps = c.maps[:n-1]
		return m
	}
	return keys.NewMap(share, s.LoadFactor)
}

// giveBack drops the memory for keys while nothing is cleaned.
func (c *Cleaner) giveBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.running) == 0 {
		c.maps = nil
	}
}

func (c *Cleaner) clean(ctx context.Context, j job) {
	began := time.Now()
	c.pacer.set(j.settings.BytesPerSecond)
	turn := c.pacer.turn()
	done, err := j.log.Clean(j.m, j.now, func(n int) error { return turn.pace(ctx, n) })
	c.end(j, err)
	c.report(ctx, j, done, time.Since(began), err)
	select {
	case c.ended <- struct{}{}:
	default:
	}
}

// end takes a log out of work and bars it where it failed.
func (c *Cleaner) end(j job, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, j.log)
	if j.settings.DedupeBufferBytes/int64(max(j.settings.Threads, 1)) == c.mapBytes {
		c.maps = append(c.maps, j.m)
	}
	switch {
	case err == nil:
	case passes(err):
		c.barred[j.log] = time.Now().Add(max(j.settings.Backoff, barMin))
	default:
		c.barred[j.log] = time.Time{}
	}
}

// passes tells errors that another try may not meet.
func passes(err error) bool {
	for _, e := range []error{
		hotlog.ErrCleanAborted, hotlog.ErrCleaning, hotlog.ErrClosed, hotlog.ErrDiskFull,
		hotlog.ErrFailed, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (c *Cleaner) report(
	ctx context.Context, j job, done hotlog.Cleaned, took time.Duration, err error,
) {
	c.metrics.note(done, took)
	logger := c.d.Logger.With("topic", j.log.Topic(), "partition", j.log.TopicPartition().Partition)
	switch {
	case err == nil:
		c.metrics.cleanings.Inc()
		logger.Info("log cleaned", "next_dirty_offset", done.FirstDirtyOffset,
			"segments", done.SegmentsBefore, "segments_after", done.SegmentsAfter,
			"bytes", done.BytesRead, "bytes_after", done.BytesKept, "took", took)
		if done.NullKeys > 0 {
			logger.Warn("records without a key dropped from a compacted log", "records", done.NullKeys)
		}
	case ctx.Err() != nil:
	case passes(err):
		logger.Info("cleaning ended early, will be tried again", "err", err)
	default:
		logger.Error("log cannot be cleaned, left alone until it is opened again", "err", err)
	}
}

// uncleanable gives the logs that are left alone.
func (c *Cleaner) uncleanable() []Log {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Log
	for l, until := range c.barred {
		if until.IsZero() {
			out = append(out, l)
		}
	}
	return out
}
