package main

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
)

// digest is the MD5 of one record, in two halves as md5_number_upper and _lower of DuckDB.
type digest struct{ upper, lower uint64 }

func (d digest) compare(o digest) int {
	if d.upper != o.upper {
		return cmp.Compare(d.upper, o.upper)
	}
	return cmp.Compare(d.lower, o.lower)
}

// message is one record, wherever it was read. Its slices are the reader's.
type message struct {
	partition  int32
	offset     int64
	timestamp  int64 // milliseconds
	key, value []byte
}

// keyOrder is the sequence of one key's records.
type keyOrder struct {
	records int64
	folded  digest
}

// tally takes the records of one stream in the order they come.
type tally struct {
	digests []digest
	keys    map[string]*keyOrder
	next    map[int32]int64 // by partition, the offset that must come next
	again   int64           // records whose offset was seen before
	missing int64           // offsets that were passed over
	text    []byte
}

func newTally(expected int) *tally {
	return &tally{
		digests: make([]digest, 0, expected), keys: map[string]*keyOrder{}, next: map[int32]int64{},
	}
}

// addAt adds a record that was read from a topic and checks its offset.
func (t *tally) addAt(m *message) {
	next := t.next[m.partition]
	switch {
	case m.offset < next:
		t.again++
	default:
		t.missing += m.offset - next
		t.next[m.partition] = m.offset + 1
	}
	t.add(m)
}

// add adds a record without regard to its offset.
func (t *tally) add(m *message) {
	t.text = append(append(t.text[:0], m.key...), '\t')
	t.text = append(strconv.AppendInt(t.text, m.timestamp, 10), '\t')
	t.text = append(t.text, m.value...)
	sum := md5.Sum(t.text)
	d := digest{binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:])}
	t.digests = append(t.digests, d)
	k := t.keys[string(m.key)]
	if k == nil {
		k = &keyOrder{}
		t.keys[string(m.key)] = k
	}
	k.records++
	const odd = 0x9e3779b97f4a7c15 // any odd factor makes the fold depend on the order
	k.folded = digest{k.folded.upper*odd + d.upper, k.folded.lower*odd + d.lower}
}

// summary is what two streams are compared by.
type summary struct {
	digests    []digest // ascending
	hash       string
	duplicates int64 // records equal to an earlier one
	keys       map[string]*keyOrder
}

// finish ends the tally.
func (t *tally) finish() *summary {
	slices.SortFunc(t.digests, digest.compare)
	s := &summary{digests: t.digests, keys: t.keys}
	h := sha256.New()
	var b [16]byte
	for i, d := range t.digests {
		if i > 0 && d == t.digests[i-1] {
			s.duplicates++
		}
		binary.BigEndian.PutUint64(b[:8], d.upper)
		binary.BigEndian.PutUint64(b[8:], d.lower)
		h.Write(b[:])
	}
	s.hash = hex.EncodeToString(h.Sum(nil))
	return s
}

// sums are the decimal sums of the digests' halves, as SQL's sum() gives them.
func (s *summary) sums() (upper, lower string) {
	sum := func(half func(digest) uint64) string {
		var high, low uint64
		for _, d := range s.digests {
			var carry uint64
			low, carry = bits.Add64(low, half(d), 0)
			high += carry
		}
		n := new(big.Int).SetUint64(high)
		return n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(low)).String()
	}
	return sum(func(d digest) uint64 { return d.upper }), sum(func(d digest) uint64 { return d.lower })
}

// String tells the figures in one line.
func (s *summary) String() string {
	return fmt.Sprintf("%d records of %d keys, %d equal to an earlier one, sorted hash %s",
		len(s.digests), len(s.keys), s.duplicates, s.hash[:16])
}

// sameAs compares records and the order of each key with want's.
func (t *tally) sameAs(want *summary) (*summary, error) {
	if t.again > 0 || t.missing > 0 {
		return nil, fmt.Errorf("offsets are not dense: %d came twice, %d are missing; "+
			"%d records came of %d", t.again, t.missing, len(t.digests), len(want.digests))
	}
	got := t.finish()
	if got.hash != want.hash {
		absent, extra := difference(want.digests, got.digests)
		return nil, fmt.Errorf("the records are not those of the input: %d are absent, %d were not in "+
			"it; input: %s; here: %s", absent, extra, want, got)
	}
	for _, key := range slices.Sorted(maps.Keys(want.keys)) {
		if *want.keys[key] != *got.keys[key] {
			return nil, fmt.Errorf("the %d records of key %q are not in the input's order",
				want.keys[key].records, key)
		}
	}
	return got, nil
}

// difference counts what only one of two ascending lists has.
func difference(a, b []digest) (onlyA, onlyB int) {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].compare(b[0]); {
		case c == 0:
			a, b = a[1:], b[1:]
		case c < 0:
			onlyA++
			a = a[1:]
		default:
			onlyB++
			b = b[1:]
		}
	}
	return onlyA + len(a), onlyB + len(b)
}

// indent prints what a command said below its step.
func indent(text []byte) string {
	text = bytes.TrimRight(text, "\n")
	return "   " + string(bytes.ReplaceAll(text, []byte("\n"), []byte("\n   "))) + "\n"
}
