package hotlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// CleanOptions say how far a log may be cleaned and what is kept of it.
type CleanOptions struct {
	// Map is the memory for keys, which the cleaning has to itself; only Clean needs it.
	Map *keys.Map
	// Stable is StableOffset of the high watermark: nothing at or above it is touched.
	Stable kafka.Offset
	// MinLag is how old a segment's newest record has to be (min.compaction.lag.ms).
	MinLag time.Duration
	// DeleteRetention is how long tombstones stay (delete.retention.ms).
	DeleteRetention time.Duration
	// Now is the time of the cleaning.
	Now time.Time
	// Pace is called beside every so many bytes that are read or written, and may wait. Its error
	// ends the cleaning and is returned. May be nil.
	Pace func(bytes int) error
}

func (o *CleanOptions) pace(n int) error {
	if o.Pace == nil {
		return nil
	}
	return o.Pace(n)
}

// Cleanable tells how dirty a log is.
type Cleanable struct {
	// FirstDirtyOffset is where the cleaned part ends, FirstUncleanableOffset where that ends which
	// may be cleaned now: [FirstDirtyOffset, FirstUncleanableOffset) is to do.
	FirstDirtyOffset, FirstUncleanableOffset kafka.Offset
	// CleanBytes and DirtyBytes are the sizes of the cleaned part and of what is to do.
	CleanBytes, DirtyBytes int64
	// DirtySince is the smallest timestamp of the dirty rolled segments' first batches, cleanable now
	// or not; kafka.NoTimestamp without one.
	DirtySince kafka.Timestamp
}

// Ratio is the dirty part of what cleaning would touch, 0 to 1.
func (c *Cleanable) Ratio() float64 {
	return float64(c.DirtyBytes) / float64(max(1, c.CleanBytes+c.DirtyBytes))
}

// Cleaned tells what a cleaning did.
type Cleaned struct {
	keys.Stats
	// FirstDirtyOffset is where the next cleaning begins.
	FirstDirtyOffset kafka.Offset
	// IndexedBytes and IndexedRecords were read to find the keys.
	IndexedBytes, IndexedRecords int64
	// SegmentsBefore became SegmentsAfter.
	SegmentsBefore, SegmentsAfter int
	// MapUtilization is how full the map was, 0 to 1.
	MapUtilization float64
}

// Cleanable looks at what Clean would do, by Kafka's rules: rolled segments below the stable
// offset whose records are old enough.
func (l *Log) Cleanable(o CleanOptions) Cleanable {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, _ := l.cleanableLocked(o)
	return c
}

// cleanableLocked also gives the segments, clean and dirty ones, that a cleaning reads.
func (l *Log) cleanableLocked(o CleanOptions) (c Cleanable, segs []*hotSegment) {
	v := l.view.Load()
	c.FirstDirtyOffset = max(l.cleaned, l.LogStartOffset(), v.segs[0].base)
	c.DirtySince = kafka.NoTimestamp
	youngest := kafka.TimestampOf(o.Now.Add(-o.MinLag))
	barred := false
	for _, s := range v.segs[:len(v.segs)-1] {
		dirty := s.info.next > c.FirstDirtyOffset
		since := s.info.firstTimestamp
		if dirty && since > 0 && (c.DirtySince < 0 || since < c.DirtySince) {
			c.DirtySince = since
		}
		barred = barred || !s.reported || s.info.next > o.Stable ||
			dirty && o.MinLag > 0 && s.info.maxTimestamp > youngest
		switch {
		case barred:
		case dirty:
			c.DirtyBytes += s.info.bytes
			segs = append(segs, s)
		default:
			c.CleanBytes += s.info.bytes
			segs = append(segs, s)
		}
	}
	c.FirstUncleanableOffset = c.FirstDirtyOffset
	if n := len(segs); n > 0 {
		c.FirstUncleanableOffset = max(c.FirstDirtyOffset, segs[n-1].info.next)
	}
	return c, segs
}

// Clean rewrites the rolled segments so that of each key only the last record stays, as far as the
// map has room for keys; package keys has the rules. Small segments become one. Appends and reads
// go on; the log's disk holds the new segments beside the old ones until they are swapped, at most
// segment.bytes at once. Truncate, Reset and Close end a cleaning at its next step.
//
// A crash leaves the log as it was, or with some of the segments cleaned, which the next cleaning
// takes up again.
//
// Errors: ErrCleaning when one is under way, ErrCleanAborted, ErrCorrupt, ErrMapTooSmall, Pace's,
// ErrDiskFull, ErrFailed, ErrClosed.
func (l *Log) Clean(o CleanOptions) (Cleaned, error) {
	if !l.cleanMu.TryLock() {
		return Cleaned{}, ErrCleaning
	}
	defer l.cleanMu.Unlock()
	c, err := l.beginClean(o)
	if err != nil {
		return Cleaned{}, err
	}
	defer l.workers.Done()
	if c.dirty.DirtyBytes > 0 {
		err = c.run()
	}
	c.out.MapUtilization = o.Map.Utilization()
	if err != nil {
		return c.out, fmt.Errorf("clean log %s: %w", l.files.dir, err)
	}
	return c.out, nil
}

// cleaning is one call of Clean.
type cleaning struct {
	l     *Log
	o     CleanOptions
	dirty Cleanable
	segs  []*hotSegment // all that may be rewritten, ascending
	out   Cleaned
	buf   []byte // what is to be written
}

// beginClean takes the segments; until Done the log waits to be closed.
func (l *Log) beginClean(o CleanOptions) (*cleaning, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writableLocked(); err != nil {
		return nil, err
	}
	c := &cleaning{l: l, o: o}
	c.dirty, c.segs = l.cleanableLocked(o)
	c.out.FirstDirtyOffset = c.dirty.FirstDirtyOffset
	l.workers.Add(1)
	return c, nil
}

// step lets an end of the log end the cleaning.
func (c *cleaning) step(n int) error {
	c.l.mu.Lock()
	err := c.l.writableLocked()
	c.l.mu.Unlock()
	if err != nil {
		return err
	}
	return c.o.pace(n)
}

func (c *cleaning) run() error {
	if err := c.index(); err != nil {
		return err
	}
	end := c.o.Map.End()
	if end <= c.dirty.FirstDirtyOffset {
		return fmt.Errorf("map of %d bytes, batch after offset %d: %w",
			c.o.Map.Bytes(), c.dirty.FirstDirtyOffset, ErrMapTooSmall)
	}
	for n := len(c.segs); n > 0 && c.segs[n-1].base >= end; n-- {
		c.segs = c.segs[:n-1]
	}
	return c.rewrite(end)
}

// index fills the map with the keys of the dirty part.
func (c *cleaning) index() error {
	from := c.dirty.FirstDirtyOffset
	r := kafka.OffsetRange{Base: from, Next: c.dirty.FirstUncleanableOffset}
	x := keys.NewIndexer(c.o.Map, from, c.l.AbortedIn(r), record.DefaultLimits())
	defer func() { c.out.IndexedRecords = x.Records }()
	for _, s := range c.segs {
		if s.info.next <= from {
			continue
		}
		pos, err := c.l.floor(s, uint32(max(0, from-s.base)))
		if err == errGone {
			return ErrCleanAborted
		}
		if err != nil {
			return err
		}
		full := false
		err = c.scan(s, pos, func(b batchAt) error {
			c.out.IndexedBytes += b.size
			full, err = x.Add(b.batch)
			if err == nil && full {
				err = errFull
			}
			return err
		})
		if full {
			return nil
		}
		if err != nil {
			return err
		}
		c.o.Map.Reach(s.info.next)
	}
	return nil
}

var errFull = errors.New("map is full")

// scan walks the whole batches of a segment from a position on.
func (c *cleaning) scan(s *hotSegment, pos int64, fn func(batchAt) error) error {
	h, err := c.l.files.open(s)
	if err == errGone {
		return ErrCleanAborted
	}
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h, pos, s.size.Load(), true)
	defer sc.close()
	unpaid := 0
	for {
		b, err := sc.next()
		switch {
		case err == io.EOF:
			return c.step(unpaid)
		case err != nil:
			return scanError(s, err)
		}
		if unpaid += int(b.size); unpaid >= scanChunk {
			if err := c.step(unpaid); err != nil {
				return err
			}
			unpaid = 0
		}
		if err := fn(b); err != nil {
			if errors.Is(err, record.ErrCorrupt) || errors.Is(err, record.ErrTooLarge) {
				return fmt.Errorf("segment %d, byte %d: %w: %w", s.base, b.pos, ErrCorrupt, err)
			}
			return err
		}
	}
}

// rewrite makes new segments of groups of old ones, oldest first, and swaps them in.
func (c *cleaning) rewrite(end kafka.Offset) error {
	r := kafka.OffsetRange{Base: c.segs[0].base, Next: c.segs[len(c.segs)-1].info.next}
	f := keys.NewFilter(keys.Options{
		Map: c.o.Map, Now: kafka.TimestampOf(c.o.Now), DeleteRetention: c.o.DeleteRetention,
		Aborted: c.l.AbortedIn(r), Limits: record.DefaultLimits(),
		KeepDeletes: c.l.LogStartOffset() < c.l.LocalLogStartOffset(), // in the bucket
	})
	defer func() { c.out.Stats = f.Stats() }()
	for from := 0; from < len(c.segs); {
		to := c.group(from)
		g := group{from: from, to: to}
		if to == len(c.segs) {
			g.cleaned = end
		}
		if err := c.rewriteGroup(g, f); err != nil {
			return err
		}
		c.out.SegmentsBefore += to - from
		c.out.SegmentsAfter++
		from = to
	}
	c.out.FirstDirtyOffset = end
	return nil
}

// group gives where the group of segments ends that begins with segs[from]: together they are no
// larger than a segment may be, and offsets and index have room.
func (c *cleaning) group(from int) (to int) {
	c.l.mu.Lock()
	bytesMax, entriesMax := c.l.cfg.SegmentBytes, c.l.cfg.IndexEntriesMax
	c.l.mu.Unlock()
	var bytes int64
	entries := 0
	for to = from; to < len(c.segs); to++ {
		s := c.segs[to]
		bytes += s.info.bytes
		entries += s.index.len()
		if to > from && (bytes > bytesMax || entries > entriesMax ||
			s.info.next-1-c.segs[from].base > math.MaxInt32) {
			break
		}
	}
	return to
}

// Errors of a cleaning that are no fault of the log.
var (
	// ErrCleaning: another cleaning of the log is under way.
	ErrCleaning = errors.New("log is being cleaned")
	// ErrCleanAborted: the segments were truncated or released while they were cleaned.
	ErrCleanAborted = errors.New("segments changed while they were cleaned")
	// ErrMapTooSmall: one batch has more keys than the map has room for.
	ErrMapTooSmall = errors.New("offset map is too small for one batch")
)
