package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// FormatVersion is the version that Seal writes.
const FormatVersion uint16 = 1

// Sizes of the fixed parts; see FORMAT.md.
const (
	trailerBytes = 32
	dirEntrySize = 16
	// FooterBytesMax bounds a footer; a larger one is taken for corrupt.
	FooterBytesMax = 256 << 20
	// FooterBytesMin is that of a footer without sections.
	FooterBytesMin = trailerBytes
	sectionsMax    = 64
)

var magic = [4]byte{'V', 'R', 'V', 'S'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// kind names a section.
type kind uint16

const (
	kindMeta kind = iota + 1
	kindOffsetIndex
	kindTimeIndex
	kindEpochs
	kindAborted
	kindProducers
	kindKeyFilter
	kindBlocks
)

// flagCritical marks a section that a reader must understand.
const flagCritical uint16 = 1

// section is one part of the footer before it is laid out.
type section struct {
	kind    kind
	flags   uint16
	payload []byte
}

// appendFooter lays out sections, directory and trailer.
func appendFooter(to []byte, dataBytes int64, sections []section) []byte {
	start := len(to)
	be := binary.BigEndian
	var dir []byte
	for _, s := range sections {
		dir = be.AppendUint16(dir, uint16(s.kind))
		dir = be.AppendUint16(dir, s.flags)
		dir = be.AppendUint32(dir, uint32(len(to)-start))
		dir = be.AppendUint32(dir, uint32(len(s.payload)))
		dir = be.AppendUint32(dir, crc32.Checksum(s.payload, castagnoli))
		to = append(to, s.payload...)
	}
	dirStart := len(to)
	to = append(to, dir...)
	to = be.AppendUint64(to, uint64(dataBytes))
	to = be.AppendUint32(to, uint32(len(to)-8-start+trailerBytes))
	to = be.AppendUint32(to, uint32(dirStart-start))
	to = be.AppendUint16(to, uint16(len(sections)))
	to = be.AppendUint16(to, FormatVersion)
	to = be.AppendUint32(to, 0)
	to = be.AppendUint32(to, crc32.Checksum(to[dirStart:], castagnoli))
	return append(to, magic[:]...)
}

// trailer is the fixed end of an object.
type trailer struct {
	dataBytes   int64
	footerBytes int64
	dirStart    int64 // from the start of the footer
	sections    int
	version     uint16
	dirCRC      uint32
}

func parseTrailer(tail []byte, objectSize int64) (trailer, error) {
	if objectSize < trailerBytes || len(tail) < trailerBytes {
		return trailer{}, fmt.Errorf("%w: %d bytes hold no trailer", ErrCorrupt, objectSize)
	}
	b := tail[len(tail)-trailerBytes:]
	if [4]byte(b[28:]) != magic {
		return trailer{}, fmt.Errorf("%w: the last four bytes are %x, not %s", ErrCorrupt, b[28:], magic)
	}
	be := binary.BigEndian
	t := trailer{
		dataBytes: int64(be.Uint64(b)), footerBytes: int64(be.Uint32(b[8:])),
		dirStart: int64(be.Uint32(b[12:])), sections: int(be.Uint16(b[16:])),
		version: be.Uint16(b[18:]), dirCRC: be.Uint32(b[24:]),
	}
	dirBytes := int64(t.sections) * dirEntrySize
	switch {
	case t.version > FormatVersion:
		return t, fmt.Errorf("%w: version %d, this program reads up to %d",
			ErrFormat, t.version, FormatVersion)
	case t.version == 0, t.footerBytes < FooterBytesMin, t.footerBytes > FooterBytesMax,
		t.dataBytes < 0, t.dataBytes != objectSize-t.footerBytes, t.sections > sectionsMax,
		t.dirStart+dirBytes+trailerBytes != t.footerBytes:
		return t, fmt.Errorf("%w: impossible trailer %+v of %d bytes", ErrCorrupt, t, objectSize)
	}
	return t, nil
}

// sectionsOf splits a whole footer and checks every checksum in it.
func sectionsOf(footer []byte, t trailer) (map[kind][]byte, error) {
	dir := footer[t.dirStart:]
	if got := crc32.Checksum(dir[:len(dir)-8], castagnoli); got != t.dirCRC {
		return nil, fmt.Errorf("%w: directory has CRC32C %08x, want %08x", ErrCorrupt, got, t.dirCRC)
	}
	out := make(map[kind][]byte, t.sections)
	be := binary.BigEndian
	for i := range t.sections {
		e := dir[i*dirEntrySize:]
		k, flags := kind(be.Uint16(e)), be.Uint16(e[2:])
		from, size := int64(be.Uint32(e[4:])), int64(be.Uint32(e[8:]))
		if from+size > t.dirStart {
			return nil, fmt.Errorf("%w: section %d ends outside the footer", ErrCorrupt, k)
		}
		payload := footer[from : from+size]
		if crc32.Checksum(payload, castagnoli) != be.Uint32(e[12:]) {
			return nil, fmt.Errorf("%w: section %d fails its CRC32C", ErrCorrupt, k)
		}
		if (k == 0 || k > kindBlocks) && flags&flagCritical != 0 {
			return nil, fmt.Errorf("%w: section %d", ErrFormat, k)
		}
		if _, twice := out[k]; twice {
			return nil, fmt.Errorf("%w: section %d is there twice", ErrCorrupt, k)
		}
		out[k] = payload
	}
	return out, nil
}
