package segment

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Report is what Verify found of a whole object.
type Report struct {
	Meta Meta
	// CRC32C of the whole object.
	CRC32C uint32
}

// Verify reads a whole object: trailer, every section, every block, every batch, and whether the footer
// is the one that its data gives. Memory is bounded by the footer and one batch.
//
// Errors: ErrCorrupt, ErrFormat, and errors of r as they are.
func Verify(r io.ReaderAt, size int64) (Report, error) {
	f, err := ReadFooter(r, size)
	if err != nil {
		return Report{}, err
	}
	m := f.Meta()
	data := io.NewSectionReader(r, 0, m.DataBytes)
	s, err := Seal(data, m.DataBytes, m.ID, WriteOptions{
		BlockBytes: int(f.blockSize), SkipRecordTimes: true, Epochs: m.Epochs, Cluster: m.Cluster,
	})
	if err != nil {
		return Report{Meta: m}, err
	}
	if err := sameAs(f, s); err != nil {
		return Report{Meta: m}, err
	}
	footer := make([]byte, m.FooterBytes)
	if _, err := r.ReadAt(footer, m.DataBytes); err != nil && !errors.Is(err, io.EOF) {
		return Report{Meta: m}, fmt.Errorf("read footer: %w", err)
	}
	dataCRC, err := checksumOf(data)
	return Report{Meta: m, CRC32C: crc32.Update(dataCRC, castagnoli, footer)}, err
}

// ReadFooter reads and parses the footer of an object, in one read in the usual case.
func ReadFooter(r io.ReaderAt, size int64) (*Footer, error) {
	const guess = 64 << 10
	for want := min(guess, size); ; {
		tail := make([]byte, want)
		if n, err := r.ReadAt(tail, size-want); n < len(tail) {
			return nil, fmt.Errorf("read the last %d bytes: %w", want, err)
		}
		f, need, err := ParseFooter(tail, size)
		if err != nil || f != nil {
			return f, err
		}
		if need <= want || need > size {
			return nil, fmt.Errorf("%w: footer of %d bytes in an object of %d", ErrCorrupt, need, size)
		}
		want = need
	}
}

// sameAs holds what the footer says against what its data gives.
func sameAs(f *Footer, s *Sealed) error {
	m, g := f.Meta(), s.Meta
	if m.NextOffset < g.NextOffset || m.Records != g.Records || m.Batches != g.Batches ||
		m.MaxTimestamp != g.MaxTimestamp || m.HasControl != g.HasControl {
		return fmt.Errorf("%w: the footer describes %+v, the data is %+v", ErrCorrupt, m, g)
	}
	got, _, err := ParseFooter(s.Footer, s.Size())
	if err != nil {
		return err
	}
	if string(got.blocks) != string(f.blocks) {
		return fmt.Errorf("%w: block checksums do not fit the data", ErrCorrupt)
	}
	return nil
}

func checksumOf(r io.Reader) (uint32, error) {
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, r); err != nil {
		return 0, fmt.Errorf("read data: %w", err)
	}
	return h.Sum32(), nil
}
