package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/varve-log/varve/kafka"
)

// WriteOptions say what Seal puts into the footer beside what it finds in the data.
type WriteOptions struct {
	// IndexIntervalBytes is how much data lies between index entries at least. Raised to a quarter
	// of BlockBytes where it is below that: readers get whole blocks, and the index is read with
	// the footer in one request.
	IndexIntervalBytes int
	// BlockBytes is the size of a checksummed block, 4 KiB to 64 MiB. Default 256 KiB.
	BlockBytes int
	// KeyFilter adds a filter over the records' keys, which inflates compressed batches.
	KeyFilter bool
	// SkipRecordTimes does not inflate compressed batches to find the smallest timestamp; where
	// there are such batches, MinTimestamp is then kafka.NoTimestamp: not known.
	SkipRecordTimes bool
	// Gaps allows offsets to be missing before and between batches, as compaction leaves them.
	Gaps bool
	// Epochs cover the segment, the first starting at or below its base offset. Empty: those that
	// the batches carry.
	Epochs []kafka.EpochStart
	// Aborted are all aborted transactions that intersect the segment.
	Aborted []AbortedTxn
	// Producers is the producer state as of the segment's next offset.
	Producers []ProducerState
	// Cluster is the cluster's id.
	Cluster string
}

// Bounds and defaults of WriteOptions.
const (
	blockBytesDefault = 256 << 10
	blockBytesMin     = 4 << 10
	blockBytesMax     = 64 << 20
	// DataBytesMax bounds the data of a segment and how many offsets it spans: the index counts
	// both from the segment's start in four bytes.
	DataBytesMax = math.MaxUint32
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

// Seal computes the sealed form of size bytes of record batches. It reads the data once, in order,
// and holds one batch and the footer in memory.
//
// The batches must be whole, pass their CRC32C, and follow each other without a gap from
// id.BaseOffset on; with Gaps they must ascend. Else ErrCorrupt. A batch whose records cannot be
// read is sealed all the same, because its bytes are what was acked: MinTimestamp is then not known
// and a key filter denies nothing. Errors of data are returned as they are.
func Seal(data io.ReaderAt, size int64, id ID, o WriteOptions) (*Sealed, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if size < 0 || size > DataBytesMax {
		return nil, fmt.Errorf("segment: %d bytes of data; want at most %d", size, int64(DataBytesMax))
	}
	s := newScan(id, size, o)
	if err := s.run(data); err != nil {
		return nil, fmt.Errorf("seal %s/%d from offset %d: %w",
			id.Topic.Hex(), id.Partition, id.BaseOffset, err)
	}
	sealed := s.sealed(data)
	if _, _, err := ParseFooter(sealed.Footer, sealed.Size()); err != nil {
		return nil, fmt.Errorf("seal %s/%d from offset %d: options that make a footer nobody reads: %w",
			id.Topic.Hex(), id.Partition, id.BaseOffset, err)
	}
	return sealed, nil
}

func (o WriteOptions) withDefaults() (WriteOptions, error) {
	if o.BlockBytes == 0 {
		o.BlockBytes = blockBytesDefault
	}
	if o.BlockBytes < blockBytesMin || o.BlockBytes > blockBytesMax {
		return o, fmt.Errorf("segment: BlockBytes is %d; want %d to %d",
			o.BlockBytes, blockBytesMin, blockBytesMax)
	}
	o.IndexIntervalBytes = max(o.IndexIntervalBytes, o.BlockBytes/4)
	return o, nil
}

// sealed lays out the footer of what the scan found.
func (s *scan) sealed(data io.ReaderAt) *Sealed {
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
