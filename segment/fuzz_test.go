package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-log/varve/kafka"
)

// repair makes the checksums of a footer right wherever there is something like one at the end of
// b, so that the fuzzer gets past them. It gives false where there is none.
func repair(b []byte) bool {
	if len(b) < trailerBytes {
		return false
	}
	be := binary.BigEndian
	t := b[len(b)-trailerBytes:]
	copy(t[28:], magic[:])
	be.PutUint16(t[18:], FormatVersion)
	sections := int(be.Uint16(t[16:]))
	footerBytes := int(be.Uint32(t[8:]))
	if footerBytes > len(b) || sections > sectionsMax ||
		footerBytes < trailerBytes+sections*dirEntrySize {
		return false
	}
	footer := b[len(b)-footerBytes:]
	dirStart := footerBytes - trailerBytes - sections*dirEntrySize
	be.PutUint32(t[12:], uint32(dirStart))
	be.PutUint64(t, uint64(len(b)-footerBytes))
	for i := range sections {
		e := footer[dirStart+i*dirEntrySize:]
		from, size := uint64(be.Uint32(e[4:])), uint64(be.Uint32(e[8:]))
		if from+size <= uint64(dirStart) {
			be.PutUint32(e[12:], crc32.Checksum(footer[from:from+size], castagnoli))
		}
	}
	be.PutUint32(t[24:], crc32.Checksum(footer[dirStart:footerBytes-8], castagnoli))
	return true
}

// addGoldens adds the small golden files. The fuzzer minimizes what it finds byte by byte: with
// seeds of many kilobytes it would do nothing else.
func addGoldens(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(goldenDir, "*.seg"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("%d golden files, %v", len(paths), err)
	}
	for _, path := range paths {
		object, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(object) < 1024 {
			f.Add(object)
		}
	}
}

// FuzzParseFooter feeds any bytes as an object's tail; what parses must answer every question.
func FuzzParseFooter(f *testing.F) {
	addGoldens(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		askFooter(t, b)
		if b = bytes.Clone(b); repair(b) {
			askFooter(t, b)
		}
	})
}

func askFooter(t *testing.T, b []byte) {
	f, need, err := ParseFooter(b, int64(len(b)))
	if err != nil {
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) || f != nil {
			t.Fatalf("footer %v, %v", f != nil, err)
		}
		return
	}
	if f == nil || need != 0 {
		t.Fatalf("the whole object is there, and %d bytes are asked for", need)
	}
	m := f.Meta()
	for _, o := range []kafka.Offset{-1, m.BaseOffset, m.NextOffset - 1, m.NextOffset} {
		if p := f.Lookup(o); p < 0 || p > 0 && p >= m.DataBytes {
			t.Fatalf("offset %d is at %d of %d bytes", o, p, m.DataBytes)
		}
	}
	if p, ok := f.LookupTime(m.MaxTimestamp); ok && p >= m.DataBytes {
		t.Fatalf("time %d is at %d of %d bytes", m.MaxTimestamp, p, m.DataBytes)
	}
	if o, p := f.LookupAfter(1); o < m.BaseOffset || p > m.DataBytes {
		t.Fatalf("offset %d at %d follows the first batch", o, p)
	}
	_, _, _ = f.MayContainKey([]byte("k")), f.Producers(), f.Aborted()
	_ = f.VerifyBlocks(0, b[:m.DataBytes])
}

// FuzzVerify feeds any bytes as an object, and as one whose footer has the right checksums.
func FuzzVerify(f *testing.F) {
	addGoldens(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Verify(bytes.NewReader(b), int64(len(b)))
		b = bytes.Clone(b)
		if !repair(b) {
			return
		}
		r, err := Verify(bytes.NewReader(b), int64(len(b)))
		if err == nil && r.CRC32C != crc32.Checksum(b, castagnoli) {
			t.Fatalf("CRC32C is %08x", r.CRC32C)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	})
}
