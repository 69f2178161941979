package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// The key filter is a Bloom filter: filterBitsPerKey bits and filterProbes probes for each key make
// about 1% of absent keys look present. Probe i of a key with XXH64 hash h looks at bit
// (h + i*(h>>32 | 1)) mod bits, counted from the highest bit of the first byte.
const (
	filterBitsPerKey = 10
	filterProbes     = 7
	filterHeader     = 8
	// filterKeysMax bounds the memory of a filter while it is made to 64 MiB; what comes after
	// makes the filter say yes to everything.
	filterKeysMax = 8 << 20
)

type filterBuilder struct {
	hashes []uint64
	full   bool
}

// add never fails; the error is for scan.onKey.
func (f *filterBuilder) add(key []byte) error {
	if len(f.hashes) >= filterKeysMax {
		f.full = true
		return nil
	}
	h := xxhash.Sum64(key)
	if n := len(f.hashes); n == 0 || f.hashes[n-1] != h {
		f.hashes = append(f.hashes, h)
	}
	return nil
}

// encode gives the number of bits, the number of probes and the bits; no bits mean "anything".
func (f *filterBuilder) encode() []byte {
	bits := uint32(0)
	if !f.full {
		bits = uint32((len(f.hashes)*filterBitsPerKey + 64) &^ 7)
	}
	b := binary.BigEndian.AppendUint32(nil, bits)
	b = binary.BigEndian.AppendUint32(b, filterProbes)
	b = append(b, make([]byte, bits/8)...)
	if bits == 0 {
		return b
	}
	for _, h := range f.hashes {
		for i := range uint64(filterProbes) {
			at := probe(h, i, bits)
			b[filterHeader+at/8] |= 0x80 >> (at % 8)
		}
	}
	return b
}

func probe(h, i uint64, bits uint32) uint32 {
	return uint32((h + i*(h>>32|1)) % uint64(bits))
}

// filter is a decoded key filter. Nil and one without bits know nothing.
type filter struct {
	bits   uint32
	probes uint64
	b      []byte
}

func decodeFilter(b []byte) (*filter, error) {
	if len(b) < filterHeader {
		return nil, fmt.Errorf("%w: key filter of %d bytes", ErrCorrupt, len(b))
	}
	f := &filter{
		bits: binary.BigEndian.Uint32(b), probes: uint64(binary.BigEndian.Uint32(b[4:])),
		b: b[filterHeader:],
	}
	if f.bits%8 != 0 || int64(f.bits/8) != int64(len(f.b)) || f.probes > 64 {
		return nil, fmt.Errorf("%w: key filter of %d bits in %d bytes", ErrCorrupt, f.bits, len(f.b))
	}
	return f, nil
}

func (f *filter) mayContain(key []byte) bool {
	if f == nil || f.bits == 0 {
		return true
	}
	h := xxhash.Sum64(key)
	for i := range f.probes {
		at := probe(h, i, f.bits)
		if f.b[at/8]&(0x80>>(at%8)) == 0 {
			return false
		}
	}
	return true
}
