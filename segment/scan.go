package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Sizes of reading.
const (
	// windowBytes is how much data is read at once; a larger batch is read whole.
	windowBytes = 1 << 20
	// batchBytesMax is the largest size that the length field of a batch can tell.
	batchBytesMax = math.MaxInt32
	// batchSizeEnd is where a batch's length field ends; the length counts from there.
	batchSizeEnd = 12
)

// scan is one pass over the data: it makes all of the footer that comes from there.
type scan struct {
	o    WriteOptions
	meta Meta

	offsets []byte // offset index
	times   []byte // time index, parallel to offsets
	blocks  []byte // block checksums
	filter  *filterBuilder
	epochs  []kafka.EpochStart
	// onBatch, where it is set, sees every batch and its position before the scan takes it in.
	onBatch func(b record.Batch, at int64) error
	// onKey, where it is set, sees every key that is not null.
	onKey func(key []byte) error

	sinceIndex  int64
	timeUnknown bool
	crc         uint32
	blockCRC    uint32
	blockFill   int
	records     record.Iterator
	memory      []byte // holds the window
}

func newScan(id ID, size int64, o WriteOptions) *scan {
	s := &scan{
		o: o,
		meta: Meta{
			ID: id, NextOffset: id.BaseOffset, DataBytes: size, FormatVersion: FormatVersion,
			MinTimestamp: kafka.NoTimestamp, MaxTimestamp: kafka.NoTimestamp, Cluster: o.Cluster,
		},
	}
	if o.KeyFilter {
		s.filter = &filterBuilder{}
		s.onKey = s.filter.add
	}
	return s
}

// run walks the batches through a window of the data.
func (s *scan) run(data io.ReaderAt) error {
	defer s.records.Close()
	var window []byte
	var at, read int64 // position of the window's first byte; end of what was read
	for at < s.meta.DataBytes {
		b, _, err := record.Next(window)
		if errors.Is(err, record.ErrTruncated) && read < s.meta.DataBytes {
			if window, err = s.fill(data, window, read); err != nil {
				return err
			}
			read = at + int64(len(window))
			continue
		}
		if err == nil {
			err = b.ValidateStored()
		}
		if err == nil {
			err = s.batch(b, at)
		}
		if err != nil {
			return fmt.Errorf("%w: batch at position %d: %w", ErrCorrupt, at, err)
		}
		at += int64(len(b))
		window = window[len(b):]
	}
	s.endBlock()
	if s.timeUnknown {
		s.meta.MinTimestamp = kafka.NoTimestamp
	}
	return nil
}

// fill reads on after the window, which first moves to the start of its memory or to larger memory.
// It grows by what is there to read: a lying length takes no memory.
func (s *scan) fill(data io.ReaderAt, window []byte, read int64) ([]byte, error) {
	left := s.meta.DataBytes - read
	need := int64(record.HeaderSize)
	if len(window) >= record.HeaderSize { // record.Next has looked at the length
		need = int64(binary.BigEndian.Uint32(window[batchSizeEnd-4:])) + batchSizeEnd
		need = min(need, batchBytesMax, int64(len(window))+left)
	}
	if size := max(windowBytes, need); int64(cap(s.memory)) < size {
		s.memory = make([]byte, 0, size)
	}
	next := s.memory[:copy(s.memory[:cap(s.memory)], window)]
	more := min(int64(cap(next)-len(next)), left)
	next = next[:len(next)+int(more)]
	got := next[len(window):]
	if n, err := data.ReadAt(got, read); n < len(got) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read segment at %d: %w", read+int64(n), err)
	}
	s.checksum(got)
	return next, nil
}

// checksum continues the checksums of the object and of the blocks.
func (s *scan) checksum(data []byte) {
	s.crc = crc32.Update(s.crc, castagnoli, data)
	for len(data) > 0 {
		n := min(len(data), s.o.BlockBytes-s.blockFill)
		s.blockCRC = crc32.Update(s.blockCRC, castagnoli, data[:n])
		s.blockFill += n
		data = data[n:]
		if s.blockFill == s.o.BlockBytes {
			s.endBlock()
		}
	}
}

func (s *scan) endBlock() {
	if s.blockFill > 0 {
		s.blocks = binary.BigEndian.AppendUint32(s.blocks, s.blockCRC)
		s.blockCRC, s.blockFill = 0, 0
	}
}

// batch takes one batch into indexes and meta.
func (s *scan) batch(b record.Batch, at int64) error {
	m := &s.meta
	if b.BaseOffset() != m.NextOffset {
		if !s.o.Gaps || b.BaseOffset() < m.NextOffset {
			return fmt.Errorf("offsets [%d,%d) follow offset %d",
				b.BaseOffset(), b.NextOffset(), m.NextOffset)
		}
		m.HasGaps = true
	}
	if span := int64(b.NextOffset() - m.BaseOffset); span > DataBytesMax {
		return fmt.Errorf("the segment spans %d offsets, want at most %d", span, int64(DataBytesMax))
	}
	if s.onBatch != nil {
		if err := s.onBatch(b, at); err != nil {
			return err
		}
	}
	m.NextOffset = b.NextOffset()
	m.Batches++
	m.HasGaps = m.HasGaps || b.Count() <= b.LastOffsetDelta()
	if n := len(s.epochs); n > 0 && b.LeaderEpoch() < s.epochs[n-1].Epoch {
		return fmt.Errorf("leader epoch %d follows %d", b.LeaderEpoch(), s.epochs[n-1].Epoch)
	} else if n == 0 || s.epochs[n-1].Epoch != b.LeaderEpoch() {
		s.epochs = append(s.epochs, kafka.EpochStart{Epoch: b.LeaderEpoch(), StartOffset: b.BaseOffset()})
	}
	if b.IsControl() {
		m.HasControl = true
	} else {
		m.Records += int64(b.Count())
		m.MaxTimestamp = max(m.MaxTimestamp, b.MaxTimestamp())
		if err := s.walk(b); err != nil {
			return err
		}
	}
	s.index(b, at)
	return nil
}

// index adds an entry where the last one is far enough behind, and keeps the time index's newest
// entry at the largest timestamp up to here.
func (s *scan) index(b record.Batch, at int64) {
	be := binary.BigEndian
	if at == 0 || s.sinceIndex >= int64(s.o.IndexIntervalBytes) {
		s.offsets = be.AppendUint32(s.offsets, uint32(b.BaseOffset()-s.meta.BaseOffset))
		s.offsets = be.AppendUint32(s.offsets, uint32(at))
		s.times = be.AppendUint64(s.times, 0)
		s.sinceIndex = 0
	}
	be.PutUint64(s.times[len(s.times)-timeEntrySize:], uint64(s.meta.MaxTimestamp))
	s.sinceIndex += int64(len(b))
}

// walk looks into the records for their bounds in time and for their keys, as far as that is
// wanted.
func (s *scan) walk(b record.Batch) error {
	timesTold := b.TimestampType() == record.LogAppendTime
	if timesTold {
		s.time(b.MaxTimestamp())
	}
	wantTimes := !timesTold && (b.Codec() == record.None || !s.o.SkipRecordTimes)
	if !timesTold && !wantTimes {
		s.timeUnknown = true
	}
	if !wantTimes && s.onKey == nil {
		return nil
	}
	s.records.Reset(b, record.DefaultLimits())
	var err error
	if s.onKey == nil {
		s.walkTimes()
	} else {
		err = s.walkKeys(wantTimes)
	}
	if s.records.Err() != nil { // sealed as it is, see Seal
		s.timeUnknown = true
		if s.filter != nil {
			s.filter.full = true
		}
	}
	return err
}

func (s *scan) walkTimes() {
	for s.records.NextTime() {
		s.time(s.records.Record().Timestamp)
	}
}

func (s *scan) walkKeys(wantTimes bool) error {
	for s.records.Next() {
		r := s.records.Record()
		if wantTimes {
			s.time(r.Timestamp)
		}
		if r.Key == nil {
			continue
		}
		if err := s.onKey(r.Key); err != nil {
			return err
		}
	}
	return nil
}

// time takes a record's timestamp into the bounds. The largest does not rest on the header alone,
// which a producer may have written wrongly. A record without a timestamp makes the smallest
// unknown, for a reader that prunes must not miss it.
func (s *scan) time(ts kafka.Timestamp) {
	m := &s.meta
	m.MaxTimestamp = max(m.MaxTimestamp, ts)
	switch {
	case ts < 0:
		s.timeUnknown = true
	case m.MinTimestamp < 0 || ts < m.MinTimestamp:
		m.MinTimestamp = ts
	}
}
