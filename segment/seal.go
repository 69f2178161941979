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

// WriteOptions say what Seal puts into the footer beside what it finds in the data.
type WriteOptions struct {
	// IndexIntervalBytes is how much data lies between index entries at least. Default 64 KiB.
	IndexIntervalBytes int
	// BlockBytes is the size of a checksummed block, 4 KiB to 64 MiB. Default 256 KiB.
	BlockBytes int
	// KeyFilter adds a filter over the records' keys, which inflates compressed batches.
	KeyFilter bool
	// SkipRecordTimes does not inflate compressed batches to find the smallest timestamp; where there
	// are such batches, MinTimestamp is then kafka.NoTimestamp: not known.
	SkipRecordTimes bool
	// Epochs cover the segment, the first starting at or below its base offset. Empty: those that the
	// batches carry.
	Epochs []kafka.EpochStart
	// Aborted are all aborted transactions that intersect the segment.
	Aborted []AbortedTxn
	// Producers is the producer state as of the segment's next offset.
	Producers []ProducerState
	// Cluster is the cluster's id.
	Cluster string
}

// Defaults of WriteOptions. The archive's index is sparser than the hot log's: a cold read gets whole
// blocks anyway.
const (
	indexIntervalDefault = 64 << 10
	blockBytesDefault    = 256 << 10
	blockBytesMin        = 4 << 10
	blockBytesMax        = 64 << 20
	batchBytesMax        = math.MaxInt32
	readBytes            = 1 << 20
)

// Sealed is the sealed form of a segment, without a copy of its data.
type Sealed struct {
	Meta Meta
	// Footer is everything after the data.
	Footer []byte
	// CRC32C of data and footer.
	CRC32C uint32

	data io.ReaderAt
}

// Size of the object in bytes.
func (s *Sealed) Size() int64 { return s.Meta.DataBytes + int64(len(s.Footer)) }

// Body reads the object: the data that Seal was given, then the footer.
func (s *Sealed) Body() io.ReaderAt { return body{s} }

// Data and DataSize let an uploader take the data from its file without copying.
func (s *Sealed) Data() io.ReaderAt { return s.data }

type body struct{ s *Sealed }

// ReadAt implements io.ReaderAt over data and footer.
func (b body) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fmt.Errorf("read sealed segment at %d: negative position", at)
	}
	n := 0
	dataBytes := b.s.Meta.DataBytes
	if at < dataBytes {
		want := p[:min(int64(len(p)), dataBytes-at)]
		got, err := b.s.data.ReadAt(want, at)
		n = got
		if got < len(want) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // the file is shorter than when it was sealed
			}
			return n, err
		}
	}
	if n == len(p) {
		return n, nil
	}
	from := at + int64(n) - dataBytes
	if from < int64(len(b.s.Footer)) {
		n += copy(p[n:], b.s.Footer[from:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Seal computes the sealed form of size bytes of record batches. It reads the data once, in order, and
// holds one batch and the footer in memory.
//
// The batches must be whole, pass their CRC32C, and ascend in offset, the first at id.BaseOffset or
// above it (where compaction removed what was before); else ErrCorrupt. Errors of data are returned
// as they are.
func Seal(data io.ReaderAt, size int64, id ID, o WriteOptions) (*Sealed, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := newScan(id, size, o)
	if err := s.run(data); err != nil {
		return nil, fmt.Errorf("seal %s/%d from offset %d: %w",
			id.Topic.Hex(), id.Partition, id.BaseOffset, err)
	}
	return s.sealed(data), nil
}

func (o WriteOptions) withDefaults() (WriteOptions, error) {
	if o.IndexIntervalBytes <= 0 {
		o.IndexIntervalBytes = indexIntervalDefault
	}
	if o.BlockBytes == 0 {
		o.BlockBytes = blockBytesDefault
	}
	if o.BlockBytes < blockBytesMin || o.BlockBytes > blockBytesMax {
		return o, fmt.Errorf("segment: BlockBytes is %d; want %d to %d",
			o.BlockBytes, blockBytesMin, blockBytesMax)
	}
	return o, nil
}

// scan is one pass over the data.
type scan struct {
	o    WriteOptions
	meta Meta

	offsets []byte // offset index
	times   []byte // time index, parallel to offsets
	blocks  []byte // block checksums
	filter  *filterBuilder
	epochs  []kafka.EpochStart

	next        kafka.Offset // where the next batch may begin at the earliest
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
		o: o, next: id.BaseOffset,
		meta: Meta{
			ID: id, NextOffset: id.BaseOffset, DataBytes: size, FormatVersion: FormatVersion,
			MinTimestamp: kafka.NoTimestamp, MaxTimestamp: kafka.NoTimestamp, Cluster: o.Cluster,
		},
	}
	if o.KeyFilter {
		s.filter = &filterBuilder{}
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
	return nil
}

// fill reads on after the window, which first moves to the start of its memory or to larger memory.
func (s *scan) fill(data io.ReaderAt, window []byte, read int64) ([]byte, error) {
	need := record.HeaderSize
	if len(window) >= 12 {
		need = int(min(int64(binary.BigEndian.Uint32(window[8:]))+12, batchBytesMax))
	}
	if cap(s.memory) < max(readBytes, need) {
		s.memory = make([]byte, 0, max(readBytes, need))
	}
	next := s.memory[:copy(s.memory[:cap(s.memory)], window)]
	more := min(int64(cap(next)-len(next)), s.meta.DataBytes-read)
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
	if b.BaseOffset() < s.next || int64(b.LastOffset()-s.meta.BaseOffset) > math.MaxUint32 {
		return fmt.Errorf("offsets [%d,%d) follow offset %d", b.BaseOffset(), b.NextOffset(), s.next)
	}
	s.next = b.NextOffset()
	s.meta.NextOffset = s.next
	s.meta.Batches++
	if n := len(s.epochs); n == 0 || s.epochs[n-1].Epoch != b.LeaderEpoch() {
		s.epochs = append(s.epochs, kafka.EpochStart{Epoch: b.LeaderEpoch(), StartOffset: b.BaseOffset()})
	}
	if b.IsControl() {
		s.meta.HasControl = true
	} else {
		s.meta.Records += int64(b.Count())
		s.meta.MaxTimestamp = max(s.meta.MaxTimestamp, b.MaxTimestamp())
		if err := s.walk(b); err != nil {
			return err
		}
	}
	s.index(b, at)
	return nil
}

// index adds an entry where the last one is far enough behind, and keeps the time index's newest entry
// at the largest timestamp up to here.
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

// walk looks into the records for the smallest timestamp and the keys.
func (s *scan) walk(b record.Batch) error {
	timesKnown := b.TimestampType() == record.LogAppendTime
	if timesKnown {
		s.lower(b.MaxTimestamp())
	}
	skipTimes := timesKnown || s.o.SkipRecordTimes && b.Codec() != record.None
	if skipTimes && s.filter == nil {
		s.timeUnknown = s.timeUnknown || !timesKnown
		return nil
	}
	s.records.Reset(b, record.DefaultLimits())
	for s.records.Next() {
		r := s.records.Record()
		s.lower(r.Timestamp)
		if s.filter != nil && r.Key != nil {
			s.filter.add(r.Key)
		}
	}
	return s.records.Err()
}

// lower takes a timestamp into the minimum. A record without one says nothing about time.
func (s *scan) lower(ts kafka.Timestamp) {
	if ts >= 0 && (s.meta.MinTimestamp < 0 || ts < s.meta.MinTimestamp) {
		s.meta.MinTimestamp = ts
	}
}

func (s *scan) sealed(data io.ReaderAt) *Sealed {
	if s.timeUnknown {
		s.meta.MinTimestamp = kafka.NoTimestamp
	}
	s.meta.Epochs = s.o.Epochs
	if len(s.meta.Epochs) == 0 {
		s.meta.Epochs = s.epochs
	}
	blocks := binary.BigEndian.AppendUint32(nil, uint32(s.o.BlockBytes))
	sections := []section{
		{kindMeta, flagCritical, encodeMeta(s.meta)},
		{kindOffsetIndex, flagCritical, s.offsets},
		{kindTimeIndex, flagCritical, s.times},
		{kindEpochs, flagCritical, encodeEpochs(s.meta.Epochs)},
		{kindAborted, flagCritical, encodeAborted(s.o.Aborted)},
		{kindProducers, flagCritical, encodeProducers(s.o.Producers)},
		{kindBlocks, flagCritical, append(blocks, s.blocks...)},
	}
	if s.filter != nil {
		sections = append(sections, section{kind: kindKeyFilter, payload: s.filter.encode()})
	}
	footer := appendFooter(nil, s.meta.DataBytes, sections)
	s.meta.FooterBytes = int64(len(footer))
	return &Sealed{
		Meta: s.meta, Footer: footer, CRC32C: crc32.Update(s.crc, castagnoli, footer), data: data,
	}
}
