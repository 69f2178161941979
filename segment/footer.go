package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"

	"github.com/varve-log/varve/kafka"
)

// Footer is the parsed end of a sealed object. It is immutable.
type Footer struct {
	meta      Meta
	aborted   []AbortedTxn
	producers []byte
	offsets   []byte
	times     []byte
	blocks    []byte
	blockSize int64
	filter    *filter
}

// ParseFooter parses the last bytes of an object of objectSize bytes. When tail is too short to
// hold the footer, need is how many of the last bytes it takes, and the footer is nil. The footer
// does not keep tail.
//
// Errors: ErrCorrupt, ErrFormat.
func ParseFooter(tail []byte, objectSize int64) (f *Footer, need int64, err error) {
	if int64(len(tail)) > objectSize {
		return nil, 0, fmt.Errorf("%w: %d bytes given of an object of %d",
			ErrCorrupt, len(tail), objectSize)
	}
	if len(tail) < trailerBytes && int64(len(tail)) < objectSize {
		return nil, min(trailerBytes, objectSize), nil
	}
	t, err := parseTrailer(tail, objectSize)
	if err != nil {
		return nil, 0, err
	}
	if int64(len(tail)) < t.footerBytes {
		return nil, t.footerBytes, nil
	}
	sections, err := sectionsOf(bytes.Clone(tail[int64(len(tail))-t.footerBytes:]), t)
	if err != nil {
		return nil, 0, err
	}
	if f, err = newFooter(sections, t); err != nil {
		return nil, 0, err
	}
	return f, 0, nil
}

func newFooter(sections map[kind][]byte, t trailer) (*Footer, error) {
	f := &Footer{
		offsets: sections[kindOffsetIndex], times: sections[kindTimeIndex],
		producers: sections[kindProducers],
	}
	var err error
	if f.meta, err = decodeMeta(sections[kindMeta]); err != nil {
		return nil, err
	}
	f.meta.DataBytes, f.meta.FooterBytes = t.dataBytes, t.footerBytes
	f.meta.FormatVersion = t.version
	if f.meta.Epochs, err = decodeEpochs(sections[kindEpochs]); err != nil {
		return nil, err
	}
	if f.aborted, err = decodeAborted(sections[kindAborted]); err != nil {
		return nil, err
	}
	if err := eachProducer(f.producers, nil); err != nil {
		return nil, err
	}
	if raw, there := sections[kindKeyFilter]; there {
		if f.filter, err = decodeFilter(raw); err != nil {
			return nil, err
		}
	}
	if err := f.takeBlocks(sections[kindBlocks]); err != nil {
		return nil, err
	}
	return f, f.checkIndex()
}

func (f *Footer) takeBlocks(b []byte) error {
	if len(b) < 4 {
		return fmt.Errorf("%w: block section of %d bytes", ErrCorrupt, len(b))
	}
	f.blockSize, f.blocks = int64(binary.BigEndian.Uint32(b)), b[4:]
	if f.blockSize < blockBytesMin || f.blockSize > blockBytesMax {
		return fmt.Errorf("%w: blocks of %d bytes", ErrCorrupt, f.blockSize)
	}
	want := (f.meta.DataBytes + f.blockSize - 1) / f.blockSize
	if int64(len(f.blocks)) != 4*want {
		return fmt.Errorf("%w: %d bytes of block checksums for %d blocks",
			ErrCorrupt, len(f.blocks), want)
	}
	return nil
}

// checkIndex holds the index against the data: ascending, from the start, within, and the two of
// one length.
func (f *Footer) checkIndex() error {
	n := f.entries()
	if len(f.offsets)%offsetEntrySize != 0 || len(f.times) != n*timeEntrySize {
		return fmt.Errorf("%w: index sections of %d and %d bytes",
			ErrCorrupt, len(f.offsets), len(f.times))
	}
	if (n == 0) != (f.meta.DataBytes == 0) {
		return fmt.Errorf("%w: %d index entries for %d bytes", ErrCorrupt, n, f.meta.DataBytes)
	}
	if n > 0 {
		if _, first := f.entry(0); first != 0 {
			return fmt.Errorf("%w: the first index entry is at %d", ErrCorrupt, first)
		}
	}
	lastOffset, lastPosition := int64(-1), int64(-1)
	for i := range n {
		o, p := f.entry(i)
		if int64(o) <= lastOffset || p <= lastPosition || o >= f.meta.NextOffset ||
			p >= f.meta.DataBytes {
			return fmt.Errorf("%w: index entry %d is offset %d at %d", ErrCorrupt, i, o, p)
		}
		if i > 0 && f.time(i) < f.time(i-1) {
			return fmt.Errorf("%w: time index entry %d goes back to %d", ErrCorrupt, i, f.time(i))
		}
		lastOffset, lastPosition = int64(o), p
	}
	return nil
}

func (f *Footer) entries() int { return len(f.offsets) / offsetEntrySize }

// time is the largest timestamp of the data up to the next index entry.
func (f *Footer) time(i int) kafka.Timestamp {
	return kafka.Timestamp(binary.BigEndian.Uint64(f.times[i*timeEntrySize:]))
}

func (f *Footer) entry(i int) (kafka.Offset, int64) {
	e := f.offsets[i*offsetEntrySize:]
	return f.meta.BaseOffset + kafka.Offset(binary.BigEndian.Uint32(e)),
		int64(binary.BigEndian.Uint32(e[4:]))
}

// Meta describes the segment.
func (f *Footer) Meta() Meta { return f.meta }

// Epochs are the leader epochs of the records.
func (f *Footer) Epochs() []kafka.EpochStart { return f.meta.Epochs }

// Aborted are all aborted transactions that intersect the segment.
func (f *Footer) Aborted() []AbortedTxn { return f.aborted }

// Producers decodes the producer state as of the segment's next offset. It costs memory in
// proportion: the footer itself holds it encoded, for few readers want it.
func (f *Footer) Producers() []ProducerState {
	var out []ProducerState
	if err := eachProducer(f.producers, func(p ProducerState) { out = append(out, p) }); err != nil {
		panic("segment: producer section that was checked: " + err.Error())
	}
	return out
}

// BlockBytes is the size of a checksummed block; the last one may be shorter.
func (f *Footer) BlockBytes() int64 { return f.blockSize }

// MayContainKey reports whether a record with this key may be in the segment. It never says no
// wrongly.
func (f *Footer) MayContainKey(key []byte) bool { return f.filter.mayContain(key) }

// Lookup gives the position of an indexed batch at or before offset o: reading on from there finds
// the batch that holds o. Below the segment it is 0.
func (f *Footer) Lookup(o kafka.Offset) int64 {
	n := f.entries()
	i := sort.Search(n, func(i int) bool { at, _ := f.entry(i); return at > o })
	if i == 0 {
		return 0
	}
	_, position := f.entry(i - 1)
	return position
}

// LookupAfter gives the first indexed batch whose position is at or above a position: its base
// offset and position. Where there is none, the segment's next offset and the end of its data.
func (f *Footer) LookupAfter(position int64) (kafka.Offset, int64) {
	n := f.entries()
	i := sort.Search(n, func(i int) bool { _, at := f.entry(i); return at >= position })
	if i == n {
		return f.meta.NextOffset, f.meta.DataBytes
	}
	return f.entry(i)
}

// LookupTime gives a position from which reading on finds the first record with a timestamp of ts
// or later; no such record lies before it. False when no record of the segment is that late.
func (f *Footer) LookupTime(ts kafka.Timestamp) (position int64, ok bool) {
	n := f.entries()
	i := sort.Search(n, func(i int) bool {
		return f.time(i) >= ts
	})
	if i == n {
		return 0, false
	}
	_, position = f.entry(i)
	return position, true
}

// VerifyBlocks checks data, which was read at position, against the checksums of all blocks that
// lie wholly within it. ErrCorrupt names the first that fails.
func (f *Footer) VerifyBlocks(position int64, data []byte) error {
	end := position + int64(len(data))
	if position < 0 || end > f.meta.DataBytes {
		return fmt.Errorf("%w: bytes [%d,%d) of %d are no data",
			ErrCorrupt, position, end, f.meta.DataBytes)
	}
	for i := (position + f.blockSize - 1) / f.blockSize; i*f.blockSize < end; i++ {
		from, to := i*f.blockSize, min((i+1)*f.blockSize, f.meta.DataBytes)
		if to > end {
			break
		}
		got := crc32.Checksum(data[from-position:to-position], castagnoli)
		if want := binary.BigEndian.Uint32(f.blocks[i*4:]); got != want {
			return fmt.Errorf("%w: block [%d,%d) has CRC32C %08x, want %08x",
				ErrCorrupt, from, to, got, want)
		}
	}
	return nil
}
