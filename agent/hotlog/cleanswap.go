package hotlog

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

const (
	// cleanBuffer is how much a cleaning writes at once.
	cleanBuffer = 1 << 20
	// cleanUnwritten is how much of that may wait to be on disk: with much more the system would let the
	// appends of all logs wait for it.
	cleanUnwritten = 4 << 20
)

// group is some neighbouring segments, segs[from:to] of a cleaning, that become one.
type group struct {
	from, to int
	cleaned  kafka.Offset // unless 0, how far the log is clean once this group is
	fresh    *hotSegment
	markers  []kafka.Offset // of aborted transactions of which nothing is left
	dropped  bool           // tombstones went
}

// rewriteGroup filters a group into a new file and makes it the log's. A segment in which nothing
// changed stays.
func (c *cleaning) rewriteGroup(g group, f *keys.Filter) (err error) {
	before := f.Stats()
	g.fresh, err = c.filterGroup(g, f)
	g.markers = f.TakeForgotten()
	if err == nil {
		after := f.Stats()
		g.dropped = after.TombstonesDropped > before.TombstonesDropped
		if g.to-g.from == 1 && after.Horizons == before.Horizons &&
			after.RecordsKept-before.RecordsKept == after.RecordsRead-before.RecordsRead &&
			g.fresh.info.bytes == c.segs[g.from].info.bytes {
			return c.keepGroup(g)
		}
		err = c.l.swap(c.segs[g.from:g.to], g)
	}
	if err != nil && g.fresh != nil && err != errSwapUnknown {
		c.l.discard(g.fresh)
	}
	return err
}

// keepGroup is rewriteGroup's end where the new segment would be as the old one.
func (c *cleaning) keepGroup(g group) error {
	c.l.discard(g.fresh)
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if g.cleaned > 0 && c.l.hasLocked(c.segs[g.from:g.to]) {
		c.l.cleaned = g.cleaned
		c.l.marks.changed, c.l.marks.durableChanged = true, true
	}
	return nil
}

// discard drops a new segment that does not become the log's.
func (l *Log) discard(s *hotSegment) {
	_ = l.files.remove(s) // or the next open does
}

// filterGroup writes what is left of a group under the new segment's names, synced.
func (c *cleaning) filterGroup(g group, f *keys.Filter) (*hotSegment, error) {
	l := c.l
	l.mu.Lock()
	l.gen++
	info := emptyInfo(c.segs[g.from].base)
	info.gen = l.gen
	interval := int64(l.cfg.IndexIntervalBytes)
	l.mu.Unlock()
	f.SetProducers(keys.LastBatches(l.Producers()))
	fresh := newSegment(info)
	fresh.index.reset()
	temp := l.files.path(fresh.id, logSuffix) + vfs.TempSuffix
	file, err := l.files.fs.Create(temp)
	if err != nil {
		return nil, classify(err)
	}
	err = c.filterInto(file, fresh, g, f, interval)
	if err == nil {
		err = file.Sync()
	}
	err = firstError(err, file.Close())
	if err == nil {
		err = l.files.fs.Rename(temp, l.files.path(fresh.id, logSuffix))
	}
	if err == nil {
		err = l.files.fs.SyncDir(l.files.dir)
	}
	if err != nil {
		_ = removeIfThere(l.files.fs, temp) // or the next open does
		return fresh, classify(err)
	}
	c.adopt(fresh, g)
	return fresh, nil
}

// adopt gives the new segment what its batches do not tell.
func (c *cleaning) adopt(fresh *hotSegment, g group) {
	first, last := c.segs[g.from], c.segs[g.to-1]
	fresh.created, fresh.reported = true, true
	fresh.size.Store(fresh.info.bytes)
	fresh.info.synced = true
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	fresh.info.firstAppendMs, fresh.info.rolledMs = first.info.firstAppendMs, last.info.rolledMs
	for _, s := range c.segs[g.from:g.to] {
		low := s.info.minTimestamp
		if low >= 0 && (fresh.info.minTimestamp < 0 || low < fresh.info.minTimestamp) {
			fresh.info.minTimestamp = low
		}
	}
}

func (c *cleaning) filterInto(
	file vfs.File, fresh *hotSegment, g group, f *keys.Filter, interval int64,
) error {
	c.buf = c.buf[:0]
	var written, awaited int64
	flush := func() error {
		if err := c.step(len(c.buf)); err != nil {
			return err
		}
		_, err := file.WriteAt(c.buf, written)
		vfs.StartWriteback(file, written, int64(len(c.buf)))
		written += int64(len(c.buf))
		c.buf = c.buf[:0]
		if n := written - awaited - cleanUnwritten; n > 0 {
			vfs.AwaitWriteback(file, awaited, n)
			awaited += n
		}
		return err
	}
	for i := g.from; i < g.to; i++ {
		end := c.segs[i].size.Load()
		err := c.scan(c.segs[i], 0, func(b batchAt) (err error) {
			start := len(c.buf)
			last := i == g.to-1 && b.pos+b.size == end // its offsets end the segment
			if c.buf, err = f.Append(c.buf, b.batch, last); err != nil {
				return err
			}
			if n := len(c.buf) - start; n > 0 {
				c.l.noteIn(fresh, c.buf[start:], int64(n), interval)
			}
			if len(c.buf) >= cleanBuffer {
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if cap(c.buf) > 4*cleanBuffer {
		c.buf = nil // grown by one large batch
	}
	last := c.segs[g.to-1].info.next
	if fresh.info.next != last || fresh.info.bytes > segmentBytesMax {
		return fmt.Errorf("cleaned segment %d ends at %d with %d bytes, %d expected: %w",
			fresh.base, fresh.info.next, fresh.info.bytes, last, ErrCorrupt)
	}
	return nil
}

// errSwapUnknown says that the disk's checkpoint may list the new segment or the old ones: the
// files of both stay until the next open.
var errSwapUnknown = fmt.Errorf("swap of cleaned segments: outcome unknown, %w", ErrCleanAborted)

// swap makes g.fresh the log's in the place of old. The durable checkpoint that lists it is the
// moment it happens: until then Open finds old, and removes the new file; afterwards Open finds the
// new one, and removes what is left of old.
func (l *Log) swap(old []*hotSegment, g group) error {
	l.workMu.Lock()
	defer l.workMu.Unlock()
	l.spillIndexes()
	if err := g.fresh.index.spill(l.files.indexIO(g.fresh)); err != nil {
		l.deps.Logger.Warn("index of a cleaned segment not written", "err", err)
	}
	job, err := l.takeSwapJob(old, g)
	if err != nil {
		return err
	}
	if err := l.syncData(job); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.failLocked(fmt.Errorf("sync: %w", err))
	}
	l.synced(job)
	if err := l.putCheckpoint(checkpointFile, job.durable, true); err != nil {
		return l.revertSwap(err)
	}
	l.install(old, g)
	return l.removeCleaned(old)
}

// takeSwapJob captures the state after the swap and what has to be synced for it.
func (l *Log) takeSwapJob(old []*hotSegment, g group) (syncJob, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writableLocked(); err != nil {
		return syncJob{}, err
	}
	if !l.hasLocked(old) {
		return syncJob{}, ErrCleanAborted
	}
	job := l.takeSyncJobLocked(false)
	aborted := slices.DeleteFunc(l.txns.aborted(), func(t endedTxn) bool {
		return slices.Contains(g.markers, t.last)
	})
	job.durable = l.captureAsLocked(l.splicedLocked(old, g.fresh), aborted, checkpoint{
		cleaned: max(l.cleaned, g.cleaned),
	}, true)
	return job, nil
}

// hasLocked reports whether these neighbours are the log's still.
func (l *Log) hasLocked(segs []*hotSegment) bool {
	v := l.view.Load()
	at := slices.Index(v.segs, segs[0])
	return at >= 0 && len(v.segs)-at > len(segs) && slices.Equal(v.segs[at:at+len(segs)], segs)
}

// splicedLocked gives the log's segments with fresh in the place of old, which it has.
func (l *Log) splicedLocked(old []*hotSegment, fresh *hotSegment) []*hotSegment {
	segs := l.view.Load().segs
	at := slices.Index(segs, old[0])
	out := append(make([]*hotSegment, 0, len(segs)), segs[:at]...)
	return append(append(out, fresh), segs[at+len(old):]...)
}

// revertSwap writes the state before the swap again, after the one behind it could not be written
// for sure.
func (l *Log) revertSwap(cause error) error {
	l.mu.Lock()
	before := l.captureLocked(false, false)
	l.mu.Unlock()
	if l.putCheckpoint(checkpointFile, before, true) != nil {
		l.deps.Logger.Warn("swap of cleaned segments has an unknown outcome", "err", cause)
		return errSwapUnknown
	}
	return cause
}

// install shows the new segment to readers. Only workMu was held since the capture: appends and
// rolls may have happened, but the old segments are there.
func (l *Log) install(old []*hotSegment, g group) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.view.Store(&view{segs: l.splicedLocked(old, g.fresh)})
	l.txns.forget(g.markers)
	l.cleaned = max(l.cleaned, g.cleaned)
	if g.dropped {
		l.dropped = max(l.dropped, g.fresh.info.next)
	}
	l.marks.changed, l.marks.durableChanged = true, true
	delta := g.fresh.info.bytes
	for _, s := range old {
		delta -= s.info.bytes
	}
	l.bytes.Add(delta)
	l.deps.Budget.add(delta)
	l.metrics.cleanedBytes.Add(float64(max(0, -delta))) // a horizon takes more bytes
}

// removeCleaned removes what was swapped out. The fast checkpoint goes first: it lists the old
// segments, and with the durable one lost they would seem released.
func (l *Log) removeCleaned(old []*hotSegment) error {
	err := removeIfThere(l.files.fs, filepath.Join(l.files.dir, fastFile))
	for i, s := range old {
		l.files.drop(s)
		if err != nil {
			continue // the files go with the next open
		}
		err = l.files.unlink(s.id)
		if i > 0 {
			err = firstError(err, removeIfThere(l.files.fs, l.files.snapshotPath(s.base)))
		}
	}
	if err == nil {
		err = l.files.fs.SyncDir(l.files.dir)
	}
	if err != nil {
		l.deps.Logger.Warn("cleaned segments not removed, the next open does", "err", err)
	}
	return nil
}
