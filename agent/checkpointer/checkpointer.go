package checkpointer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// Deps are the parts a Checkpointer is made of. Catalog and Logger are required.
type Deps struct {
	// Catalog has the ledgers, and the store that they are in.
	Catalog *catalog.Catalog
	Logger  *slog.Logger
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
}

// Checkpointer saves the compacted logs in its care. Make one with New and start it with Run.
type Checkpointer struct {
	cfg     Config
	catalog *catalog.Catalog
	store   objstore.Store
	logger  *slog.Logger
	now     func() time.Time
	metrics *metrics

	restoring chan struct{} // holds a token for each Restore under way

	roundMu sync.Mutex // held by the one round under way; before mu
	ledgers []int      // under roundMu: how many partitions each ledger has; nil: not known yet

	mu       sync.Mutex // guards all below
	logs     map[kafka.TopicPartition]*tracked
	sequence int64 // of the newest object
	inFlight map[checkpoint.Ref]map[checkpoint.Object]flight
	large    *tracked // the one that is saved beside the rounds
}

// tracked is a log in the Checkpointer's care. Its fields are guarded by the Checkpointer's mutex.
type tracked struct {
	log Log
	tp  kafka.TopicPartition

	savedEnd   kafka.Offset // kafka.NoOffset: not known in this process
	dirtySince time.Time    // zero: saved
	takenAt    time.Time    // when the newest save began
	busy       bool         // in a save
	fenced     bool         // a newer process saves it: this one never does again
	removed    bool
	changed    chan struct{} // closed and replaced when busy ends

	failures int
	retryAt  time.Time
	lastErr  error
}

// New makes a Checkpointer without logs.
func New(cfg Config, d Deps) (*Checkpointer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Checkpointer{
		cfg: cfg, catalog: d.Catalog, store: d.Catalog.Store(), logger: d.Logger, now: d.Now,
		restoring: make(chan struct{}, RestoresMax),
		logs:      map[kafka.TopicPartition]*tracked{},
		inFlight:  map[checkpoint.Ref]map[checkpoint.Object]flight{},
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.metrics = newMetrics(d.Registerer, c)
	return c, nil
}

// Add takes a log into care from now on. One that is not compacted, and never was, costs nothing.
func (c *Checkpointer) Add(l Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs[l.TP()] = &tracked{
		log: l, tp: l.TP(), savedEnd: kafka.NoOffset, changed: make(chan struct{}),
	}
}

// Has reports whether a log is in care.
func (c *Checkpointer) Has(tp kafka.TopicPartition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs[tp] != nil
}

// Remove lets go of a log. A save under way is waited for until ctx ends, whose error it then
// returns; the Log must stay usable until a Remove returned nil.
func (c *Checkpointer) Remove(ctx context.Context, tp kafka.TopicPartition) error {
	c.mu.Lock()
	t := c.logs[tp]
	if t == nil {
		c.mu.Unlock()
		return nil
	}
	t.removed = true
	delete(c.logs, tp)
	c.mu.Unlock()
	return c.awaitIdle(ctx, t)
}

func (c *Checkpointer) awaitIdle(ctx context.Context, t *tracked) error {
	for {
		c.mu.Lock()
		busy, changed := t.busy, t.changed
		c.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// SavedEnd is the exclusive end of what of a log is in a checkpoint, by what this process knows; 0:
// nothing.
func (c *Checkpointer) SavedEnd(tp kafka.TopicPartition) kafka.Offset {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.logs[tp]; t != nil {
		return max(t.savedEnd, 0)
	}
	return 0
}

// Saved is a log's checkpoint by what this process knows; false: none.
func (c *Checkpointer) Saved(tp kafka.TopicPartition) (checkpoint.Entry, bool) {
	c.mu.Lock()
	t := c.logs[tp]
	c.mu.Unlock()
	if t == nil {
		return checkpoint.Entry{}, false
	}
	h, known := t.log.Manifest().Head()
	if !known || h.Checkpoint == nil {
		return checkpoint.Entry{}, false
	}
	v, _ := c.catalog.Ledger(*h.Checkpoint).Known()
	return v.Entry(tp)
}

// Run saves until ctx ends, then waits for the saves under way, which end with ctx too. It returns
// ctx's error. Call it once.
func (c *Checkpointer) Run(ctx context.Context) error {
	ticker := time.NewTicker(c.cfg.ScanInterval)
	defer ticker.Stop()
	defer c.awaitLarge()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("checkpointer: %w", ctx.Err())
		case <-ticker.C:
		}
		if c.scan() {
			c.round(ctx, false)
		}
	}
}

// scan notes which logs have changed and reports whether a round is due.
func (c *Checkpointer) scan() bool {
	now := c.now()
	c.mu.Lock()
	all := make([]*tracked, 0, len(c.logs))
	for _, t := range c.logs {
		all = append(all, t)
	}
	c.mu.Unlock()
	due := false
	for _, t := range all {
		changed := c.hasChanged(t)
		c.mu.Lock()
		switch {
		case !changed:
			t.dirtySince = time.Time{}
		case t.dirtySince.IsZero():
			t.dirtySince = now
		}
		due = due || changed && !t.busy && !t.fenced && !now.Before(t.retryAt) &&
			now.Sub(t.dirtySince) >= c.cfg.MaxAge*4/5
		c.mu.Unlock()
	}
	return due
}

// hasChanged reports whether a log has something to save, or a checkpoint that it needs no more. A
// log that is not compacted and has no checkpoint is asked for nothing but its settings.
func (c *Checkpointer) hasChanged(t *tracked) bool {
	compacted := t.log.Compacted()
	c.mu.Lock()
	saved, fenced := t.savedEnd, t.fenced
	c.mu.Unlock()
	switch {
	case fenced:
		return t.log.LastStableOffset() > saved
	case compacted:
		return t.log.LastStableOffset() > max(saved, t.log.StartOffset())
	case saved == 0:
		return false
	case saved > 0:
		return t.log.SealedElsewhere(saved)
	}
	h, known := t.log.Manifest().Head()
	if known && (h.Checkpoint == nil || h.Checkpoint.Agent != c.cfg.Agent) {
		c.mu.Lock()
		t.savedEnd = 0
		c.mu.Unlock()
		return false
	}
	return known && t.log.SealedElsewhere(t.log.LastStableOffset())
}

// Flush saves all logs to their last stable offsets now and returns when that is done, or ctx ended,
// or flushTries rounds in a row got no further: ErrUnsaved with the reasons.
func (c *Checkpointer) Flush(ctx context.Context) error {
	c.scan()
	unsaved := c.unsaved()
	for failed := 0; len(unsaved) > 0 && failed < flushTries && ctx.Err() == nil; {
		c.round(ctx, true)
		c.awaitLarge()
		c.scan()
		left := c.unsaved()
		if len(left) >= len(unsaved) {
			failed++
		}
		unsaved = left
	}
	if len(unsaved) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d logs: %w", ErrUnsaved, len(unsaved),
		errors.Join(append(unsaved[:min(len(unsaved), errorsNamedMax)], ctx.Err())...))
}

// unsaved names the logs that have changed since they were saved, and why.
func (c *Checkpointer) unsaved() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, t := range c.logs {
		if t.dirtySince.IsZero() {
			continue
		}
		err := t.lastErr
		if err == nil {
			err = errNotYet
		}
		all = append(all, fmt.Errorf("partition %d of %s: %w", t.tp.Partition, t.log.Topic(), err))
	}
	return all
}

// errNotYet is of a log whose turn did not come.
var errNotYet = errors.New("not saved yet")

// awaitLarge waits for the save beside the rounds, if there is one.
func (c *Checkpointer) awaitLarge() {
	c.mu.Lock()
	t := c.large
	c.mu.Unlock()
	if t != nil {
		_ = c.awaitIdle(context.Background(), t) // it ends with the context it was given
	}
}

const (
	// flushTries is how many rounds of a Flush may get no further.
	flushTries = 2
	// errorsNamedMax bounds how many partitions an error names.
	errorsNamedMax = 10
)

// round saves what has changed, several ledgers at once. With all set it saves also what is in its
// pause after an error.
func (c *Checkpointer) round(ctx context.Context, all bool) {
	c.roundMu.Lock()
	defer c.roundMu.Unlock()
	begun := c.now()
	batch := c.take(all)
	if len(batch) == 0 {
		return
	}
	short, cancel := context.WithTimeout(ctx, c.cfg.RoundTimeout)
	defer cancel()
	byLedger := c.assign(short, batch)
	var group errgroup.Group
	group.SetLimit(c.cfg.LedgersMax)
	for ref, ts := range byLedger {
		group.Go(func() error {
			small, large := c.planAll(short, ref, ts)
			for _, s := range large {
				c.saveLarge(ctx, ref, s)
			}
			c.save(short, ref, small)
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	c.metrics.rounds.Observe(c.now().Sub(begun).Seconds())
}

// take marks the logs to save as busy.
func (c *Checkpointer) take(all bool) []*tracked {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch []*tracked
	for _, t := range c.logs {
		if t.dirtySince.IsZero() || t.busy || t.fenced || !all && now.Before(t.retryAt) {
			continue
		}
		t.busy, t.takenAt = true, now
		batch = append(batch, t)
	}
	return batch
}

// done ends a log's part in a round: it is saved to an end, or the save failed.
func (c *Checkpointer) done(ctx context.Context, t *tracked, end kafka.Offset, err error) {
	now := c.now()
	more := t.log.LastStableOffset() > end
	c.mu.Lock()
	t.lastErr = err
	if err == nil {
		t.savedEnd, t.failures, t.retryAt, t.dirtySince = end, 0, time.Time{}, time.Time{}
		if more { // since the save began, at the earliest
			t.dirtySince = t.takenAt
		}
	} else {
		t.failures++
		t.retryAt = now.Add(c.pause(t.failures))
		t.fenced = errors.Is(err, checkpoint.ErrFenced)
	}
	failures, silent, fenced := t.failures, t.removed || ctx.Err() != nil, t.fenced
	c.releaseLocked(t)
	c.mu.Unlock()
	if err == nil || silent {
		return
	}
	c.metrics.failures.Inc()
	logger := c.logger.With("topic", t.log.Topic(), "partition", t.tp.Partition, "err", err)
	if fenced {
		logger.Error("checkpoint not saved, a newer process has taken it over")
	} else {
		logger.Warn("checkpoint not saved, will be tried again", "failures", failures)
	}
}

// putBack ends a log's part in a round without a result.
func (c *Checkpointer) putBack(t *tracked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.releaseLocked(t)
}

func (c *Checkpointer) releaseLocked(t *tracked) {
	t.busy = false
	if c.large == t {
		c.large = nil
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

func (c *Checkpointer) pause(failures int) time.Duration {
	if failures > 16 {
		return c.cfg.RetryPauseMax
	}
	return min(c.cfg.RetryPauseMax, c.cfg.RetryPauseMin<<(failures-1))
}
