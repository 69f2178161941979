package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Report is what Verify found of a whole object.
type Report struct {
	Meta Meta
	// CRC32C of the whole object.
	CRC32C uint32
}

// Verify reads a whole object once: trailer, every section, every block, every batch, and whether
// all that the footer says of the data is so: meta, both indexes, epochs, block checksums, key
// filter. Memory is bounded by the footer and one batch.
//
// Errors: ErrCorrupt, ErrFormat, and errors of r as they are.
func Verify(r io.ReaderAt, size int64) (Report, error) {
	raw, f, err := readFooter(r, size)
	if err != nil {
		return Report{}, err
	}
	m := f.Meta()
	s := newScan(m.ID, m.DataBytes, WriteOptions{
		BlockBytes: int(f.blockSize), IndexIntervalBytes: int(f.blockSize), Gaps: m.HasGaps,
		SkipRecordTimes: m.MinTimestamp == kafka.NoTimestamp, Epochs: m.Epochs, Cluster: m.Cluster,
	})
	c := claims{f: f, scan: s}
	s.onBatch = c.batch
	if f.filter != nil {
		s.onKey = c.key
	}
	if err := s.run(r); err != nil {
		return Report{Meta: m}, err
	}
	return Report{Meta: m, CRC32C: crc32.Update(s.crc, castagnoli, raw)}, c.end()
}

// claims holds what a footer says against the batches as they pass.
type claims struct {
	f     *Footer
	scan  *scan
	entry int // of the index, that comes next
}

// batch is called before the scan takes the batch in.
func (c *claims) batch(b record.Batch, at int64) error {
	if want, ok := epochAt(c.f.meta.Epochs, b.BaseOffset()); !ok || want != b.LeaderEpoch() {
		return fmt.Errorf("offset %d has leader epoch %d, the footer says %d",
			b.BaseOffset(), b.LeaderEpoch(), want)
	}
	if c.entry == c.f.entries() {
		return nil
	}
	o, position := c.f.entry(c.entry)
	switch {
	case position > at:
		return nil
	case position < at || o != b.BaseOffset():
		return fmt.Errorf("index entry %d is offset %d at %d; offset %d is at %d",
			c.entry, o, position, b.BaseOffset(), at)
	}
	c.entry++
	return c.time()
}

// time checks the time index's entry for the data between the last two index entries.
func (c *claims) time() error {
	if i := c.entry - 2; i >= 0 && c.f.time(i) != c.scan.meta.MaxTimestamp {
		return fmt.Errorf("time index entry %d says %d, the records say %d",
			i, c.f.time(i), c.scan.meta.MaxTimestamp)
	}
	return nil
}

func (c *claims) key(key []byte) error {
	if !c.f.filter.mayContain(key) {
		return fmt.Errorf("the key filter denies key %q", key)
	}
	return nil
}

// end compares what only the whole data tells.
func (c *claims) end() error {
	if c.entry != c.f.entries() {
		return fmt.Errorf("%w: index entry %d of %d is at no batch", ErrCorrupt, c.entry, c.f.entries())
	}
	c.entry++
	if err := c.time(); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	m, g := c.f.Meta(), c.scan.meta
	if m.NextOffset != g.NextOffset || m.Records != g.Records || m.Batches != g.Batches ||
		m.MinTimestamp != g.MinTimestamp || m.MaxTimestamp != g.MaxTimestamp ||
		m.HasControl != g.HasControl || m.HasGaps != g.HasGaps {
		return fmt.Errorf("%w: the footer describes %+v, the data is %+v", ErrCorrupt, m, g)
	}
	for i := range len(c.scan.blocks) / 4 {
		want := binary.BigEndian.Uint32(c.f.blocks[i*4:])
		if got := binary.BigEndian.Uint32(c.scan.blocks[i*4:]); got != want {
			return fmt.Errorf("%w: block %d has CRC32C %08x, want %08x", ErrCorrupt, i, got, want)
		}
	}
	return nil
}

// epochAt is the leader epoch that covers an offset.
func epochAt(epochs []kafka.EpochStart, o kafka.Offset) (epoch kafka.LeaderEpoch, ok bool) {
	i := sort.Search(len(epochs), func(i int) bool { return epochs[i].StartOffset > o })
	if i == 0 {
		return kafka.NoLeaderEpoch, false
	}
	return epochs[i-1].Epoch, true
}

// ReadFooter reads and parses the footer of an object, in one read in the usual case.
//
// Errors: ErrCorrupt, ErrFormat, and errors of r as they are.
func ReadFooter(r io.ReaderAt, size int64) (*Footer, error) {
	_, f, err := readFooter(r, size)
	return f, err
}

func readFooter(r io.ReaderAt, size int64) (raw []byte, f *Footer, err error) {
	const guess = 64 << 10
	for want := min(guess, size); ; {
		tail := make([]byte, want)
		if n, err := r.ReadAt(tail, size-want); n < len(tail) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, nil, fmt.Errorf("read the last %d bytes: %w", want, err)
		}
		f, need, err := ParseFooter(tail, size)
		if err != nil {
			return nil, nil, err
		}
		if f != nil {
			return tail[want-f.meta.FooterBytes:], f, nil
		}
		if need <= want || need > size {
			return nil, nil, fmt.Errorf("%w: footer of %d bytes in an object of %d", ErrCorrupt, need, size)
		}
		want = need
	}
}
