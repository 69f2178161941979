package hotlog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// request is what someone wants done behind the append path. Requests add up.
type request struct {
	flush   bool // sync up to the log end
	rolled  bool // finish rolled segments: sync, index, snapshot, durable checkpoint
	fast    bool // write the checkpoint that is not synced
	durable bool // write the checkpoint that is
}

func (r request) any() bool { return r.flush || r.rolled || r.fast || r.durable }

func (r request) or(o request) request {
	return request{
		flush: r.flush || o.flush, rolled: r.rolled || o.rolled,
		fast: r.fast || o.fast, durable: r.durable || o.durable,
	}
}

// waiter is an append that waits for a sync.
type waiter struct {
	next kafka.Offset
	fn   func(error)
}

// work is what the log's own goroutine has to do. Guarded by Log.mu.
type work struct {
	wanted  request
	running bool
	waiters []waiter
	timer   *time.Timer // of flush.ms
	armed   bool
	grown   bool // Rolled has grown and no one was told
}

// requestLocked asks for work and starts the goroutine that does it, unless it runs already.
func (l *Log) requestLocked(r request) {
	l.work.wanted = l.work.wanted.or(r)
	if l.work.running || l.state != stateOpen {
		return
	}
	l.work.running = true
	l.workers.Add(1)
	go func() {
		defer l.workers.Done()
		for l.step() {
			l.notifyRolled()
		}
	}()
}

// step does what is wanted now. It reports false, and the goroutine ends, when nothing is.
func (l *Log) step() bool {
	l.workMu.Lock()
	defer l.workMu.Unlock()
	l.mu.Lock()
	wanted := l.work.wanted
	if !wanted.any() || l.state != stateOpen {
		l.work.running = false
		l.mu.Unlock()
		return false
	}
	l.work.wanted = request{}
	failed := l.failure != nil
	l.mu.Unlock()
	if failed {
		l.wakeWaiters()
		return true
	}
	if err := l.do(wanted); err != nil {
		l.deps.Logger.Warn("hot log upkeep failed, will be tried again", "err", err)
	}
	return true
}

// notifyRolled tells that Rolled has grown. The caller holds no lock.
func (l *Log) notifyRolled() {
	l.mu.Lock()
	fn := l.onRolled
	if !l.work.grown {
		fn = nil
	}
	l.work.grown = false
	l.mu.Unlock()
	if fn != nil {
		fn()
	}
}

// do is one round of work. The caller holds workMu. Its error leaves rolled segments unreported and
// checkpoints old, which the next Checkpoint tries again; a failed sync fails the log.
func (l *Log) do(r request) error {
	if r.flush || r.rolled || r.durable {
		err := l.sync(r.rolled || r.durable)
		l.wakeWaiters()
		if err != nil {
			return err
		}
	}
	if r.fast {
		return l.writeFast()
	}
	return nil
}

// syncJob is what one round syncs: everything up to target.
type syncJob struct {
	closed  []*hotSegment
	active  *hotSegment // nil when it holds nothing new
	target  kafka.Offset
	dir     bool
	durable []byte // the checkpoint as of target
}

// sync makes everything up to the log end, as it is now, durable, and with checkpoint set writes
// that down and reports the rolled segments. The caller holds workMu.
func (l *Log) sync(checkpoint bool) error {
	if checkpoint {
		l.spillIndexes()
	}
	job := l.takeSyncJob(checkpoint)
	if err := l.syncData(job); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.failLocked(fmt.Errorf("sync: %w", err))
	}
	l.synced(job)
	if !checkpoint {
		return nil
	}
	if err := l.finishClosed(); err != nil {
		return err
	}
	return l.putCheckpoint(checkpointFile, job.durable, true)
}

// synced notes that a job was done.
func (l *Log) synced(job syncJob) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range job.closed {
		s.info.synced = true
	}
	l.flushed.Store(max(l.flushed.Load(), int64(job.target)))
}

func (l *Log) takeSyncJob(checkpoint bool) syncJob {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takeSyncJobLocked(checkpoint)
}

func (l *Log) takeSyncJobLocked(checkpoint bool) syncJob {
	v := l.view.Load()
	job := syncJob{target: l.LogEndOffset(), dir: l.marks.dirChanged}
	l.marks.dirChanged = false
	for _, s := range v.segs[:len(v.segs)-1] {
		if !s.info.synced {
			job.closed = append(job.closed, s)
		}
	}
	if a := v.active(); a.created && a.info.next > l.FlushedOffset() {
		job.active = a
	}
	if checkpoint {
		job.durable = l.captureLocked(true, false)
		l.marks.changed, l.marks.durableChanged = false, false
	}
	return job
}

func (l *Log) syncData(job syncJob) error {
	start := time.Now()
	for _, s := range job.closed {
		if err := l.syncSegment(s, vfs.File.Sync); err != nil {
			return err
		}
	}
	if job.active != nil {
		if err := l.syncSegment(job.active, vfs.File.SyncData); err != nil {
			return err
		}
	}
	if job.dir {
		if err := l.files.fs.SyncDir(l.files.dir); err != nil {
			return err
		}
	}
	if len(job.closed) > 0 || job.active != nil {
		l.metrics.flushes.Inc()
		l.metrics.flushSeconds.Observe(time.Since(start).Seconds())
	}
	return nil
}

func (l *Log) syncSegment(s *hotSegment, sync func(vfs.File) error) error {
	h, err := l.files.open(s)
	if err != nil {
		return err
	}
	defer h.release()
	return sync(h.File)
}

// spillIndexes brings the entries in memory to the index files. An index that cannot be written is
// made again when it is needed.
func (l *Log) spillIndexes() {
	for _, s := range l.view.Load().segs {
		if s.index.tailLen() == 0 {
			continue
		}
		if err := s.index.spill(l.files.indexIO(s)); err != nil {
			l.deps.Logger.Warn("index not written", "base_offset", s.base, "err", err)
		}
	}
}

// finishClosed writes the producer snapshots of synced, closed segments and then reports them. The
// caller holds workMu, so that no segment goes away.
func (l *Log) finishClosed() error {
	l.mu.Lock()
	v := l.view.Load()
	var todo []*hotSegment
	for _, s := range v.segs[:len(v.segs)-1] {
		if s.info.synced && !s.reported {
			todo = append(todo, s)
		}
	}
	l.mu.Unlock()
	for _, s := range todo {
		if s.snapshot == nil {
			continue
		}
		name := l.files.snapshotPath(s.info.next)
		if err := vfs.WriteFileAtomic(l.files.fs, name, s.snapshot, true); err != nil {
			return classify(fmt.Errorf("producer snapshot: %w", err))
		}
	}
	if len(todo) == 0 {
		return nil
	}
	l.mu.Lock()
	for _, s := range todo {
		s.reported, s.snapshot = true, nil
	}
	l.work.grown = true
	l.mu.Unlock()
	return nil
}

// wakeWaiters calls those whose offset is synced, or all with the error when the log failed.
func (l *Log) wakeWaiters() {
	l.mu.Lock()
	flushed, failure := l.FlushedOffset(), l.failure
	var due []waiter
	l.work.waiters = slices.DeleteFunc(l.work.waiters, func(w waiter) bool {
		ready := failure != nil || w.next <= flushed
		if ready {
			due = append(due, w)
		}
		return ready
	})
	if len(l.work.waiters) > 0 {
		l.work.wanted.flush = true
	}
	l.mu.Unlock()
	for _, w := range due {
		if w.next <= flushed {
			w.fn(nil)
		} else {
			w.fn(failure)
		}
	}
}

// OnFlushed calls fn once: with nil when everything below next is synced, inline if it is already,
// or with what prevents it (ErrFailed, ErrClosed). It asks for a sync; appends that wait at the
// same time share one. fn runs on the log's goroutine and must not block.
func (l *Log) OnFlushed(next kafka.Offset, fn func(error)) {
	l.mu.Lock()
	err := l.writableLocked()
	if next <= l.FlushedOffset() {
		err = nil
	} else if err == nil && next > l.LogEndOffset() {
		err = fmt.Errorf("flush up to %d, log end %d: %w", next, l.LogEndOffset(),
			ErrOffsetOutOfRange)
	} else if err == nil {
		l.work.waiters = append(l.work.waiters, waiter{next: next, fn: fn})
		l.requestLocked(request{flush: true})
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	fn(err)
}

// Sync waits until everything appended so far is synced.
func (l *Log) Sync(ctx context.Context) error {
	done := make(chan error, 1)
	l.OnFlushed(l.LogEndOffset(), func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OnRolled sets the function called, on the log's goroutine or on Checkpoint's caller's, when
// Rolled has grown; it must not close the log.
func (l *Log) OnRolled(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onRolled = fn
}

// armFlushLocked starts the clock of flush.ms with the first append that is not flushed.
func (l *Log) armFlushLocked() {
	if l.work.armed {
		return
	}
	l.work.armed = true
	if l.work.timer == nil {
		l.work.timer = time.AfterFunc(l.cfg.FlushInterval, l.flushDue)
		return
	}
	l.work.timer.Reset(l.cfg.FlushInterval)
}

func (l *Log) flushDue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.work.armed = false
	if l.state == stateOpen && l.failure == nil {
		l.marks.unflushed = 0
		l.requestLocked(request{flush: true})
	}
}
