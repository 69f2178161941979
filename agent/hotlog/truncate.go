package hotlog

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// Truncate forgets everything from an offset on. Where it lies inside a batch the whole batch goes,
// so that offsets stay dense: look at LogEndOffset afterwards. It is durable when it returns; a
// crash before leaves the log as it was, or truncated. An offset at or above the log end changes
// nothing; one below the local log start is ErrBelowLocalStart: Reset is for that.
func (l *Log) Truncate(to kafka.Offset) error {
	l.workMu.Lock()
	defer l.workMu.Unlock()
	l.viewMu.Lock()
	defer l.viewMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writableLocked(); err != nil {
		return err
	}
	v := l.view.Load()
	if to >= l.LogEndOffset() {
		return nil
	}
	i := findSegment(v, to)
	if i < 0 {
		return fmt.Errorf("truncate to %d, local log start %d: %w",
			to, v.segs[0].base, ErrBelowLocalStart)
	}
	kept, err := l.shortenLocked(v.segs[i], to)
	if err != nil {
		return fmt.Errorf("truncate to %d: %w", to, err)
	}
	segs := append(append([]*hotSegment(nil), v.segs[:i]...), kept)
	return l.replaceLocked(segs, v.segs[i+1:], v.segs[i])
}

// shortenLocked gives what a segment is when only the batches that end at or below to are left, and
// makes the producer and transaction state the one of that point.
func (l *Log) shortenLocked(s *hotSegment, to kafka.Offset) (*hotSegment, error) {
	h, err := l.files.open(s)
	if err != nil {
		return nil, err
	}
	defer h.release()
	producers, err := l.producersAtBase(s.base)
	if err != nil {
		return nil, err
	}
	info := emptyInfo(s.base)
	info.gen = s.id.gen
	kept := newSegment(info)
	kept.created = true
	kept.index.reset()
	aborted := l.txns.aborted()
	for len(aborted) > 0 && aborted[len(aborted)-1].last >= s.base {
		aborted = aborted[:len(aborted)-1]
	}
	l.producers.load(producers)
	l.txns.load(producers, aborted)
	sc := newScanner(h, 0, s.info.bytes, true)
	defer sc.close()
	nowMs := l.nowMs()
	for {
		b, err := sc.next()
		if err == io.EOF {
			break
		}
		if err == nil && b.next() > to {
			break
		}
		if err == nil {
			err = l.replayProducer(b.batch, nowMs)
		}
		if err != nil {
			return nil, l.failLocked(err)
		}
		l.commitProducersLocked()
		l.noteLocked(kept, b.batch, b.size, nowMs)
		if err := kept.info.noteOldest(b.batch); err != nil {
			return nil, l.failLocked(err)
		}
	}
	kept.info.firstAppendMs = s.info.firstAppendMs
	kept.size.Store(kept.info.bytes)
	return kept, nil
}

// Reset drops everything and begins again as Open does in an empty directory. It is durable when it
// returns; a crash before leaves the log as it was, or reset.
func (l *Log) Reset(o Opening) error {
	l.workMu.Lock()
	defer l.workMu.Unlock()
	l.viewMu.Lock()
	defer l.viewMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != stateOpen {
		return ErrClosed
	}
	old := l.view.Load().segs
	nowMs := l.nowMs()
	l.failure = nil // whatever was wrong with the old files, they go
	l.producers.load(importProducers(o.Producers, o.StartOffset, nowMs))
	l.verifying = nil
	l.txns.load(l.producers.all(), nil)
	l.epochs = epochHistory{}
	for _, e := range o.Epochs {
		l.epochs.assign(e.Epoch, e.StartOffset)
	}
	l.logStart.Store(int64(max(0, o.LogStartOffset)))
	l.cleaned, l.dropped = 0, 0
	l.end.Store(int64(o.StartOffset)) // before replaceLocked: nothing is truncated by epoch here
	fresh := newSegment(emptyInfo(o.StartOffset))
	fresh.index.reset()
	return l.replaceLocked([]*hotSegment{fresh}, old, nil)
}

// replaceLocked makes segs the log and removes the segments in gone; shortened, if not nil, is the
// same file as the last of segs and is cut to its size. First a checkpoint says what the log will
// be and that files are still to be cut to it (Open finishes that), then they are cut, then a
// checkpoint says so. What fails on the way fails the log.
func (l *Log) replaceLocked(segs, gone []*hotSegment, shortened *hotSegment) error {
	before := l.bytes.Load()
	active := segs[len(segs)-1]
	l.cleaned = min(l.cleaned, active.info.next)
	l.epochs.truncateEnd(active.info.next)
	l.view.Store(&view{segs: segs})
	l.end.Store(int64(active.info.next))
	l.flushed.Store(min(l.flushed.Load(), int64(active.info.next)))
	l.mustFlush.Store(min(l.mustFlush.Load(), int64(active.info.next)))
	l.publishStableLocked()
	var bytes int64
	for _, s := range segs {
		bytes += s.info.bytes
	}
	l.bytes.Store(bytes)
	l.deps.Budget.add(bytes - before)
	l.metrics.truncateBytes.Add(float64(before - bytes))
	if err := l.cutFilesLocked(active, gone, shortened); err != nil {
		return l.failLocked(fmt.Errorf("truncate: %w", err))
	}
	l.flushed.Store(int64(active.info.next))
	l.marks = marks{sequence: l.marks.sequence}
	l.answerWaitersLocked()
	return nil
}

func (l *Log) cutFilesLocked(active *hotSegment, gone []*hotSegment, shortened *hotSegment) error {
	if !l.files.made {
		if err := l.files.fs.MkdirAll(l.files.dir); err != nil {
			return err
		}
		l.files.made = true
	}
	if err := l.syncKeptLocked(shortened); err != nil {
		return err
	}
	if err := l.writeStateLocked(true); err != nil {
		return err
	}
	// With the durable checkpoint damaged the fast one would be believed, and what is appended next may
	// look like what it speaks of.
	if err := removeIfThere(l.files.fs, filepath.Join(l.files.dir, fastFile)); err != nil {
		return err
	}
	if shortened != nil {
		l.files.drop(shortened)
	}
	for i := len(gone) - 1; i >= 0; i-- {
		if err := l.files.remove(gone[i]); err != nil {
			return err
		}
		if err := l.removeSnapshot(gone[i].info.next); err != nil {
			return err
		}
	}
	if shortened == nil { // a reset: what was known at this offset is not what begins here
		if err := l.writeSnapshotLocked(active.base, true); err != nil {
			return err
		}
	} else if err := l.removeSnapshot(shortened.info.next); err != nil {
		return err
	}
	if err := l.cutActiveFile(&active.info); err != nil {
		return err
	}
	active.created = true
	if err := l.files.fs.SyncDir(l.files.dir); err != nil {
		return err
	}
	return l.writeStateLocked(false)
}

func (l *Log) removeSnapshot(at kafka.Offset) error {
	return removeIfThere(l.files.fs, l.files.snapshotPath(at))
}

// syncKeptLocked syncs what stays, closed segments and the one to be shortened: the checkpoint will
// say that it is there.
func (l *Log) syncKeptLocked(shortened *hotSegment) error {
	if shortened != nil {
		if err := l.syncSegment(shortened, vfs.File.Sync); err != nil {
			return err
		}
	}
	if err := l.files.fs.SyncDir(l.files.dir); err != nil {
		return err
	}
	segs := l.view.Load().segs
	for _, s := range segs[:len(segs)-1] {
		if s.info.synced {
			continue
		}
		if err := l.syncSegment(s, vfs.File.Sync); err != nil {
			return err
		}
		s.info.synced = true
	}
	return nil
}

// writeStateLocked writes the durable checkpoint while the log stands still.
func (l *Log) writeStateLocked(pending bool) error {
	l.metrics.checkpoints.Inc()
	return vfs.WriteFileAtomic(l.files.fs, l.files.checkpointPath(),
		l.captureLocked(true, pending), true)
}

// answerWaitersLocked answers those who waited for a sync: what is left is synced now, the rest
// gone.
func (l *Log) answerWaitersLocked() {
	waiters, end := l.work.waiters, l.LogEndOffset()
	l.work.waiters = nil
	if len(waiters) == 0 {
		return
	}
	l.workers.Add(1)
	go func() {
		defer l.workers.Done()
		for _, w := range waiters {
			if w.next <= end {
				w.fn(nil)
				continue
			}
			w.fn(fmt.Errorf("truncated while waiting for a sync: %w", ErrOffsetOutOfRange))
		}
	}()
}
