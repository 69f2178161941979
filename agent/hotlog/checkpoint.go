package hotlog

import (
	"fmt"
	"path/filepath"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// checkpoint is the log's whole state at one log end: what Open starts from, to replay only the
// batches after it. There are two files of it: one written when all below its end is synced, and a
// fast one, written without a sync and believed only during the same boot of the machine.
type checkpoint struct {
	sequence uint64 // the higher of two believed ones wins
	bootID   string
	// pending says that files may still hold more than this state, because a truncation or reset
	// was under way: Open cuts them to it.
	pending  bool
	logStart kafka.Offset
	flushed  kafka.Offset  // everything below was synced
	cleaned  kafka.Offset  // below it a cleaning has seen all keys
	segments []segmentInfo // ascending, dense; the last is the active one
	epochs   []kafka.EpochStart

	producers []producer
	aborted   []endedTxn
}

func (c *checkpoint) active() *segmentInfo { return &c.segments[len(c.segments)-1] }

func (c *checkpoint) encode() []byte {
	e := newEncoder(64 + len(c.segments)*infoSize + len(c.epochs)*epochSize +
		len(c.producers)*(producerSize+batchesKept*spanSize) + len(c.aborted)*endedSize)
	e.i64(int64(c.sequence))
	e.text(c.bootID)
	e.flag(c.pending)
	e.offset(c.logStart)
	e.offset(c.flushed)
	e.offset(c.cleaned)
	e.u32(uint32(len(c.segments)))
	for i := range c.segments {
		e.info(&c.segments[i])
		e.u32(c.segments[i].gen)
	}
	e.u32(uint32(len(c.epochs)))
	for _, ep := range c.epochs {
		e.i32(int32(ep.Epoch))
		e.offset(ep.StartOffset)
	}
	e.producers(c.producers)
	e.u32(uint32(len(c.aborted)))
	for _, a := range c.aborted {
		e.i64(int64(a.producer))
		e.offset(a.first)
		e.offset(a.last)
		e.offset(a.stable)
	}
	return sealFile(e.b, checkpointMagic)
}

func (e *encoder) info(i *segmentInfo) {
	e.offset(i.base)
	e.offset(i.next)
	e.i64(i.bytes)
	e.time(i.minTimestamp)
	e.time(i.maxTimestamp)
	e.time(i.firstTimestamp)
	e.i64(i.firstAppendMs)
	e.i64(i.rolledMs)
	e.u32(i.maxTimestampPos)
	e.u32(i.lastPos)
	e.i64(int64(i.indexStored))
	e.u32(i.indexSum)
	e.flag(i.synced)
}

func (d *decoder) info() segmentInfo {
	return segmentInfo{
		base: d.offset(), next: d.offset(), bytes: d.i64(),
		minTimestamp: d.time(), maxTimestamp: d.time(), firstTimestamp: d.time(),
		firstAppendMs: d.i64(), rolledMs: d.i64(),
		maxTimestampPos: d.u32(), lastPos: d.u32(),
		indexStored: int(d.i64()), indexSum: d.u32(), synced: d.flag(),
	}
}

func decodeCheckpoint(b []byte) (*checkpoint, error) {
	version := 2
	body, err := openSealed(b, checkpointMagic)
	if err != nil {
		version = 1 // before logs were cleaned
		if body, err = openSealed(b, checkpointMagicV1); err != nil {
			return nil, err
		}
	}
	d := &decoder{b: body}
	c := &checkpoint{
		sequence: uint64(d.i64()), bootID: d.text(), pending: d.flag(), logStart: d.offset(),
		flushed: d.offset(),
	}
	if version > 1 {
		c.cleaned = d.offset()
	}
	for range d.count(infoSizeV1) {
		s := d.info()
		if version > 1 {
			s.gen = d.u32()
		}
		c.segments = append(c.segments, s)
	}
	for range d.count(epochSize) {
		c.epochs = append(c.epochs, kafka.EpochStart{
			Epoch: kafka.LeaderEpoch(d.i32()), StartOffset: d.offset(),
		})
	}
	c.producers = d.producers()
	for range d.count(endedSize) {
		c.aborted = append(c.aborted, endedTxn{
			producer: kafka.ProducerID(d.i64()), first: d.offset(), last: d.offset(),
			stable: d.offset(), aborted: true,
		})
	}
	if err := d.end(); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return c, c.validate()
}

// validate refuses what no log writes: its own checksum held, but other software may have written
// it.
func (c *checkpoint) validate() error {
	if len(c.segments) == 0 {
		return fmt.Errorf("checkpoint without segments: %w", ErrCorrupt)
	}
	for i := range c.segments {
		s := &c.segments[i]
		switch {
		case s.base < 0 || s.next < s.base || s.bytes < 0 || s.bytes > segmentBytesMax,
			(s.bytes == 0) != (s.next == s.base),
			s.bytes > 0 && (int64(s.lastPos) >= s.bytes || int64(s.maxTimestampPos) >= s.bytes),
			s.indexStored < 0 || int64(s.indexStored) > s.bytes/indexEntrySize,
			i > 0 && c.segments[i-1].next != s.base,
			i < len(c.segments)-1 && s.bytes == 0:
			return fmt.Errorf("checkpoint segment %d: %w", s.base, ErrCorrupt)
		}
	}
	return nil
}

// captureLocked encodes the state as of now. With synced set every closed segment counts as synced,
// which the caller makes true before the bytes are written. Indexes count as far as they are
// stored.
func (l *Log) captureLocked(synced, pending bool) []byte {
	return l.captureAsLocked(l.view.Load().segs, l.txns.aborted(), checkpoint{
		cleaned: l.cleaned, pending: pending,
	}, synced)
}

// captureAsLocked is captureLocked with these segments, aborted transactions and what c says.
func (l *Log) captureAsLocked(
	segs []*hotSegment, aborted []endedTxn, c checkpoint, synced bool,
) []byte {
	l.marks.sequence++
	c.sequence, c.bootID = l.marks.sequence, l.deps.BootID
	c.logStart, c.flushed = l.LogStartOffset(), l.FlushedOffset()
	c.epochs, c.producers, c.aborted = l.epochs.entries, l.producers.all(), aborted
	c.segments = make([]segmentInfo, len(segs))
	for i, s := range segs {
		c.segments[i] = s.info
		c.segments[i].indexStored, c.segments[i].indexSum = s.index.state()
		c.segments[i].synced = s.info.synced || synced
	}
	c.active().synced = false // it goes on growing
	if synced {
		c.flushed = c.active().next
	}
	l.marks.sinceFast = 0
	return c.encode()
}

func (l *Log) putCheckpoint(name string, b []byte, durable bool) error {
	l.metrics.checkpoints.Inc()
	err := vfs.WriteFileAtomic(l.files.fs, filepath.Join(l.files.dir, name), b, durable)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	l.marks.changed, l.marks.durableChanged = true, true
	l.mu.Unlock()
	return classify(fmt.Errorf("write checkpoint: %w", err))
}

// writeFast writes the fast checkpoint. The caller holds workMu.
func (l *Log) writeFast() error {
	l.spillIndexes()
	l.mu.Lock()
	skip := !l.marks.changed || !l.view.Load().active().created
	if skip {
		l.mu.Unlock()
		return nil
	}
	b := l.captureLocked(false, false)
	l.marks.changed = false
	l.mu.Unlock()
	return l.putCheckpoint(fastFile, b, false)
}

// Checkpoint writes what bounds the next recovery, without a sync; call it every few seconds for
// all logs. It does nothing when nothing changed since. It also tries again what failed behind a
// roll.
func (l *Log) Checkpoint() error {
	if !l.workMu.TryLock() { // do not wait for a sync: its goroutine goes on with this
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.marks.changed {
			l.requestLocked(request{fast: true})
		}
		return nil
	}
	defer l.notifyRolled()
	defer l.workMu.Unlock()
	l.mu.Lock()
	if err := l.writableLocked(); err != nil {
		l.mu.Unlock()
		return err
	}
	l.expireProducersLocked(l.nowMs())
	r := request{fast: true}
	v := l.view.Load()
	for _, s := range v.segs[:len(v.segs)-1] {
		r.rolled = r.rolled || !s.reported
	}
	if !r.rolled && !l.marks.changed {
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return l.do(r)
}
