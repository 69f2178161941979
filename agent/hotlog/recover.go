package hotlog

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path/filepath"
	"slices"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// HasCheckpoint reports whether the log in dir was ever checkpointed. One that was not, since its
// first append was cut short or is a moment ago, or whose Restore was cut short, does not know by
// itself where it began: its Opening must.
func HasCheckpoint(fs vfs.FS, dir string) (bool, error) {
	if unfinished, err := isUnfinished(fs, dir); unfinished || err != nil {
		return false, err
	}
	for _, name := range []string{checkpointFile, fastFile} {
		_, err := fs.Stat(filepath.Join(dir, name))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, iofs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// Rebuilt reports whether Open found no usable checkpoint and scanned all segments: damage would
// have ended the log at any point, so its end has to be held against what is known elsewhere.
func (l *Log) Rebuilt() bool { return l.rebuilt }

// recover brings the log to the state that its directory proves. It runs alone, before anyone has
// the log, and so takes no locks.
func (l *Log) recover(opening Opening) error {
	if err := l.dropUnfinished(); err != nil {
		return err
	}
	ls, err := l.list()
	if err != nil {
		return err
	}
	l.files.made = ls.present
	cp := l.readCheckpoints(ls)
	switch {
	case cp == nil && len(ls.logs) == 0:
		l.begin(opening)
	case cp == nil:
		err = l.rebuild(ls, opening)
	default:
		err = l.resume(cp, ls)
	}
	if err != nil {
		return err
	}
	l.logStart.Store(max(l.logStart.Load(), int64(opening.LogStartOffset)))
	l.forgetEpochs()
	if err := l.sweepOrphans(ls); err != nil {
		return err
	}
	l.finishRecovery()
	return nil
}

// begin starts a log in an empty directory. Nothing is written before the first append, so that a
// partition without records costs no file.
func (l *Log) begin(o Opening) {
	l.epochs.entries = slices.Clone(o.Epochs)
	l.epochs.truncateEnd(o.StartOffset)
	nowMs := l.nowMs()
	l.producers.load(importProducers(o.Producers, o.StartOffset, nowMs))
	l.txns.load(l.producers.all(), nil)
	l.logStart.Store(int64(max(0, o.LogStartOffset)))
	s := newSegment(emptyInfo(o.StartOffset))
	s.index.reset()
	l.view.Store(&view{segs: []*hotSegment{s}})
	l.end.Store(int64(o.StartOffset))
	l.flushed.Store(int64(o.StartOffset))
}

// readCheckpoints gives the newest checkpoint that can be believed, or nil. One that is damaged, or
// does not fit the files, counts as absent: the other one, or a whole scan, takes its place.
func (l *Log) readCheckpoints(ls listing) *checkpoint {
	if !ls.present {
		return nil
	}
	durable := l.readCheckpoint(checkpointFile)
	fast := l.readCheckpoint(fastFile)
	if fast != nil && (l.deps.BootID == "" || fast.bootID != l.deps.BootID) {
		l.marks.sequence = max(l.marks.sequence, fast.sequence)
		fast = nil
	}
	for _, c := range []*checkpoint{durable, fast} {
		if c != nil {
			l.marks.sequence = max(l.marks.sequence, c.sequence)
			for i := range c.segments {
				l.gen = max(l.gen, c.segments[i].gen)
			}
		}
	}
	if fast != nil && (durable == nil || fast.sequence > durable.sequence) {
		if err := l.fits(fast, ls); err == nil {
			return fast
		}
	}
	if durable == nil {
		return nil
	}
	if err := l.fits(durable, ls); err != nil {
		l.deps.Logger.Warn("checkpoint does not fit the segment files, scanning all", "err", err)
		return nil
	}
	return durable
}

func (l *Log) readCheckpoint(name string) *checkpoint {
	path := filepath.Join(l.files.dir, name)
	b, err := vfs.ReadFile(l.files.fs, path, stateFileMax)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err == nil {
		var c *checkpoint
		if c, err = decodeCheckpoint(b); err == nil {
			return c
		}
	}
	l.deps.Logger.Warn("checkpoint unreadable, recovering without it", "object", path, "err", err)
	return nil
}

// fits checks a checkpoint against the files: no segment was cleaned since, the active one is there, as
// long as it says, and its last batch is whole.
func (l *Log) fits(c *checkpoint, ls listing) error {
	if c.pending {
		return nil // resume makes the files fit
	}
	for i := range c.segments {
		id := c.segments[i].id()
		if now := ls.newest(id.base); now.gen > id.gen && !slices.Contains(ls.logs, id) {
			return fmt.Errorf("segment %d was cleaned since: %w", id.base, ErrCorrupt)
		}
	}
	a := c.active()
	if !slices.Contains(ls.logs, a.id()) {
		return fmt.Errorf("segment %d is missing: %w", a.base, ErrCorrupt)
	}
	if a.bytes == 0 {
		return nil
	}
	f, err := l.files.fs.Open(l.files.path(a.id(), logSuffix))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	s := newScanner(f, int64(a.lastPos), a.bytes, true)
	defer s.close()
	b, err := s.next()
	if err != nil {
		return err
	}
	if s.pos != a.bytes || b.next() != a.next {
		return fmt.Errorf("segment %d ends elsewhere: %w", a.base, ErrCorrupt)
	}
	return nil
}

// resume starts from a checkpoint and replays what was appended after it.
func (l *Log) resume(c *checkpoint, ls listing) error {
	l.logStart.Store(int64(c.logStart))
	l.epochs.entries = c.epochs
	l.producers.load(c.producers)
	l.txns.load(c.producers, c.aborted)
	l.cleaned = c.cleaned
	if c.pending {
		if err := l.finishCut(c, &ls); err != nil {
			return err
		}
	}
	var segs []*hotSegment
	for i, info := range c.segments {
		if !slices.Contains(ls.logs, info.id()) {
			if len(segs) > 0 {
				return fmt.Errorf("segment %d is missing between others: %w", info.base, ErrCorrupt)
			}
			continue // released: the oldest go first
		}
		s := newSegment(info)
		s.created = true
		if i < len(c.segments)-1 {
			s.reported = info.synced && slices.Contains(ls.snapshots, info.next)
		}
		segs = append(segs, s)
	}
	l.view.Store(&view{segs: segs})
	l.flushed.Store(int64(min(c.flushed, c.active().next)))
	return l.replay(ls)
}

// finishCut does what a truncation or reset had left to do: no segment but those listed, the active
// one no longer than it says.
func (l *Log) finishCut(c *checkpoint, ls *listing) error {
	l.deps.Logger.Info("finishing an interrupted truncation", "base_offset", c.active().base)
	keep := map[segmentID]bool{}
	for i := range c.segments {
		keep[c.segments[i].id()] = true
	}
	for _, id := range ls.logs {
		if keep[id] {
			continue
		}
		if err := l.files.unlink(id); err != nil {
			return err
		}
	}
	a := c.active()
	if err := l.cutActiveFile(a); err != nil {
		return err
	}
	ls.logs = slices.DeleteFunc(ls.logs, func(id segmentID) bool { return !keep[id] })
	if !slices.Contains(ls.logs, a.id()) {
		ls.logs = append(ls.logs, a.id())
	}
	if err := l.files.fs.SyncDir(l.files.dir); err != nil {
		return err
	}
	l.marks.sequence++
	c.sequence, c.pending = l.marks.sequence, false
	return l.putCheckpoint(checkpointFile, c.encode(), true)
}

// cutActiveFile gives the file the length its info has, and makes an empty one where there is none.
func (l *Log) cutActiveFile(a *segmentInfo) (err error) {
	name := l.files.path(a.id(), logSuffix)
	f, err := l.files.fs.OpenReadWrite(name)
	if errors.Is(err, iofs.ErrNotExist) && a.bytes == 0 {
		f, err = l.files.fs.Create(name)
	}
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	if size < a.bytes {
		return fmt.Errorf("segment %d has %d bytes of %d: %w", a.base, size, a.bytes, ErrCorrupt)
	}
	if err := f.Truncate(a.bytes); err != nil {
		return err
	}
	return f.Sync()
}

// rebuild scans every segment, when no checkpoint can be believed. The producer state begins with
// the snapshot at the oldest segment, or with what was sealed there.
func (l *Log) rebuild(ls listing, o Opening) error {
	first := ls.newest(ls.logs[0].base)
	oldest := first.base
	l.rebuilt = true
	l.deps.Logger.Warn("no usable checkpoint, scanning all segments",
		"base_offset", oldest, "segments", len(ls.logs))
	all, err := l.readSnapshot(oldest)
	if err != nil {
		all = nil
		if oldest == o.StartOffset {
			all = importProducers(o.Producers, oldest, l.nowMs())
		}
	}
	l.producers.load(all)
	l.txns.load(all, nil)
	for _, e := range o.Epochs {
		if e.StartOffset < oldest {
			l.epochs.assign(e.Epoch, e.StartOffset)
		}
	}
	l.view.Store(&view{segs: []*hotSegment{foundSegment(first)}})
	l.flushed.Store(int64(oldest))
	return l.replay(ls)
}

// foundSegment is a segment of which nothing but its file's name is known.
func foundSegment(id segmentID) *hotSegment {
	info := emptyInfo(id.base)
	info.gen = id.gen
	s := newSegment(info)
	s.index.reset()
	s.created = true
	return s
}

// replay takes in the batches after the active segment's known end, there and in the segments that
// were begun later. The first batch that is torn, or does not follow, ends the log: the rest goes.
// Of files for the same offsets the newest cleaning's counts; what it was made of is in the way.
func (l *Log) replay(ls listing) error {
	for {
		active := l.view.Load().active()
		torn, err := l.replaySegment(active, ls.logs[len(ls.logs)-1].base <= active.base)
		if err != nil {
			return err
		}
		next := active.info.next
		later := slices.DeleteFunc(slices.Clone(ls.logs), func(id segmentID) bool {
			return id.base <= active.base || !torn && id.base < next && active.id.gen > 0
		})
		if len(later) == 0 {
			return nil
		}
		if torn || later[0].base != next || active.info.bytes == 0 {
			return l.dropLater(later, next)
		}
		l.closeReplayed(active)
		segs := l.view.Load().segs
		found := foundSegment(ls.newest(next))
		l.view.Store(&view{segs: append(slices.Clip(segs), found)})
	}
}

// closeReplayed marks a segment as rolled whose roll no checkpoint knows.
func (l *Log) closeReplayed(s *hotSegment) {
	s.info.rolledMs = l.nowMs()
	if st, err := l.files.fs.Stat(l.files.path(s.id, logSuffix)); err == nil {
		s.info.rolledMs = st.ModTime.UnixMilli()
	}
	s.info.synced, s.reported = false, false
	s.snapshot = encodeSnapshot(l.producers.all())
}

// dropLater removes segments that do not follow: they were never synced, or were being truncated.
func (l *Log) dropLater(later []segmentID, end kafka.Offset) error {
	for _, id := range slices.Backward(later) {
		l.deps.Logger.Warn("segment does not follow, removed", "base_offset", id.base,
			"log_end_offset", end)
		if err := l.files.unlink(id); err != nil {
			return err
		}
	}
	return l.files.fs.SyncDir(l.files.dir)
}

// replaySegment takes in the batches of one segment from its known end on, and cuts a torn tail.
func (l *Log) replaySegment(s *hotSegment, last bool) (torn bool, err error) {
	h, err := l.files.open(s)
	if err != nil {
		return false, err
	}
	defer h.release()
	size, err := h.Size()
	if err != nil {
		return false, err
	}
	from := s.info.bytes
	sc := newScanner(h, from, size, true)
	defer sc.close()
	nowMs := l.nowMs()
	for {
		b, err := sc.next()
		if err == nil && (!s.followed(b.batch.BaseOffset(), last) || sc.pos > segmentBytesMax) {
			err = fmt.Errorf("batch at offset %d, %d expected: %w",
				b.batch.BaseOffset(), s.info.next, errTorn)
		}
		if err == nil {
			err = l.takeIn(s, b, nowMs)
		}
		switch {
		case err == io.EOF:
			l.metrics.recoveredBytes.Add(float64(size - from))
			return false, nil
		case errors.Is(err, errTorn), errors.Is(err, ErrCorrupt), errors.Is(err, record.ErrCorrupt):
			return true, l.cutTail(h, s, size, err)
		case err != nil:
			return false, err
		}
	}
}

// takeIn replays one batch without the checks of an append: it was appended once.
func (l *Log) takeIn(s *hotSegment, b batchAt, nowMs int64) error {
	if err := l.replayProducer(b.batch, nowMs); err != nil {
		return err
	}
	l.epochs.assign(b.batch.LeaderEpoch(), b.batch.BaseOffset())
	l.noteLocked(s, b.batch, b.size, nowMs)
	if err := s.info.noteOldest(b.batch); err != nil {
		return err
	}
	l.commitProducersLocked()
	s.size.Store(s.info.bytes)
	return nil
}

func (l *Log) replayProducer(b record.Batch, nowMs int64) error {
	l.producers.begin()
	l.staged = l.staged[:0]
	if b.ProducerID() == kafka.NoProducerID {
		return nil
	}
	p := l.producers.staged(b.ProducerID())
	if !b.IsControl() {
		l.stageDataLocked(p, b, b.BaseOffset(), nowMs)
		return nil
	}
	if b.Count() == 0 {
		p.setEpoch(b.ProducerEpoch())
		return nil
	}
	m, err := parseMarker(b)
	if err != nil {
		return err
	}
	l.stageMarkerLocked(p, b, m, b.BaseOffset(), nowMs)
	return nil
}

func (l *Log) cutTail(h *handle, s *hotSegment, size int64, cause error) error {
	lost := size - s.info.bytes
	l.deps.Logger.Warn("torn tail cut", "base_offset", s.base, "log_end_offset", s.info.next,
		"bytes", lost, "err", cause)
	l.metrics.truncateBytes.Add(float64(lost))
	// Synced, or bytes behind the tear could come back after new ones were written there.
	return firstError(h.Truncate(s.info.bytes), h.Sync())
}

// finishRecovery publishes what was found.
func (l *Log) finishRecovery() {
	v := l.view.Load()
	var bytes int64
	unreported := false
	for _, s := range v.segs {
		bytes += s.info.bytes
	}
	for _, s := range v.segs[:len(v.segs)-1] {
		unreported = unreported || !s.reported
	}
	l.recoverDropped(v)
	end := v.active().info.next
	l.epochs.truncateEnd(end)
	l.end.Store(int64(end))
	l.flushed.Store(min(l.flushed.Load(), int64(end)))
	l.publishStableLocked()
	l.bytes.Store(bytes)
	l.deps.Budget.add(bytes)
	l.drawJitterLocked()
	// A killed process may have created files whose names no one synced.
	l.marks.dirChanged = v.active().created
	if kafka.Offset(l.flushed.Load()) < end {
		l.marks.changed, l.marks.durableChanged = true, true
	}
	if unreported {
		l.mu.Lock()
		l.requestLocked(request{rolled: true})
		l.mu.Unlock()
	}
}
