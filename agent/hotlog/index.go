package hotlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"
	"sync"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// Layout of an index file, see FORMAT.md.
const (
	indexMagic      = "VRVHIDX1"
	indexHeaderSize = 16
	indexEntrySize  = 16
	// indexTailMax is how many entries wait in memory before they are appended to the file.
	indexTailMax = 1024
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// indexEntry says that a batch with base offset segment base + rel begins at pos, and that the
// largest timestamp of all batches before it is maxTimestamp. Both rel and pos ascend strictly, the
// timestamp ascends by being a maximum, so a search by time is right whatever the order of
// timestamps.
type indexEntry struct {
	rel, pos     uint32
	maxTimestamp kafka.Timestamp
}

func (e indexEntry) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, e.rel)
	b = binary.BigEndian.AppendUint32(b, e.pos)
	return binary.BigEndian.AppendUint64(b, uint64(e.maxTimestamp))
}

func decodeIndexEntry(b []byte) indexEntry {
	return indexEntry{
		rel: binary.BigEndian.Uint32(b), pos: binary.BigEndian.Uint32(b[4:]),
		maxTimestamp: kafka.Timestamp(binary.BigEndian.Uint64(b[8:])),
	}
}

func appendIndexHeader(b []byte, base kafka.Offset) []byte {
	return binary.BigEndian.AppendUint64(append(b, indexMagic...), uint64(base))
}

// decodeIndex reads the first n entries of an index file and checks header, order and checksum.
func decodeIndex(b []byte, base kafka.Offset, n int, sum uint32) ([]indexEntry, error) {
	want := indexHeaderSize + n*indexEntrySize
	if n < 0 || len(b) < want || string(b[:8]) != indexMagic ||
		kafka.Offset(binary.BigEndian.Uint64(b[8:])) != base {
		return nil, fmt.Errorf("index header: %w", ErrCorrupt)
	}
	body := b[indexHeaderSize:want]
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("index checksum: %w", ErrCorrupt)
	}
	out := make([]indexEntry, n)
	for i := range out {
		out[i] = decodeIndexEntry(body[i*indexEntrySize:])
		if i > 0 && !out[i-1].before(out[i]) {
			return nil, fmt.Errorf("index entry %d not ascending: %w", i, ErrCorrupt)
		}
	}
	return out, nil
}

func (e indexEntry) before(o indexEntry) bool {
	return e.rel < o.rel && e.pos < o.pos && e.maxTimestamp <= o.maxTimestamp
}

// index is one segment's sparse index: entries already in the file, then those in memory. The file
// is a hint: its count and checksum are in the checkpoint, and one that fails them is made again.
type index struct {
	file slot

	mu      sync.Mutex // guards what follows; held for a page write at most, or a rebuild
	tail    []indexEntry
	stored  int
	sum     uint32
	checked bool // the stored part was verified, or written, by this process
	made    bool // the file exists with its header
}

// indexIO is what an index needs to reach its file.
type indexIO struct {
	files *FileSet
	base  kafka.Offset
	open  func() (vfs.File, error) // creates it where it is missing
}

func (x *index) len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stored + len(x.tail)
}

func (x *index) tailLen() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.tail)
}

// push adds an entry in memory, and reports false when there is no room: spillFull makes it.
func (x *index) push(e indexEntry) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.tail) >= indexTailMax {
		return false
	}
	x.tail = append(x.tail, e)
	return true
}

// spillFull moves a full page to the file. Where that fails the page is dropped, which leaves a gap
// that only makes look-ups slower.
func (x *index) spillFull(io indexIO) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.spillLocked(io) != nil {
		x.tail = x.tail[:0]
	}
}

// spill moves what is in memory to the file.
func (x *index) spill(io indexIO) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.spillLocked(io)
	if err == nil {
		x.tail = nil // a closed segment keeps no page
	}
	return err
}

func (x *index) spillLocked(io indexIO) error {
	if len(x.tail) == 0 {
		return nil
	}
	h, err := io.files.acquire(&x.file, io.open)
	if err != nil {
		return err
	}
	defer h.release()
	if !x.made {
		if _, err := h.WriteAt(appendIndexHeader(nil, io.base), 0); err != nil {
			return err
		}
		x.made = true
	}
	page := scanBuffers.Get().(*[]byte)
	defer scanBuffers.Put(page)
	b := (*page)[:0]
	for _, e := range x.tail {
		b = e.appendTo(b)
	}
	at := indexHeaderSize + int64(x.stored)*indexEntrySize
	if _, err := h.WriteAt(b, at); err != nil {
		return err
	}
	x.sum = crc32.Update(x.sum, castagnoli, b)
	if x.stored == 0 {
		x.checked = true
	}
	x.stored += len(x.tail)
	x.tail = x.tail[:0]
	return nil
}

// floor is the position of the last entry at or below a relative offset, 0 without one.
func (x *index) floor(io indexIO, rel uint32) (int64, error) {
	e, ok, err := x.search(io, func(e indexEntry) bool { return e.rel > rel })
	if !ok || err != nil {
		return 0, err
	}
	return int64(e.pos), nil
}

// floorTime is the position from which on a batch with a timestamp at or after ts is to be looked
// for: all batches before it are older.
func (x *index) floorTime(io indexIO, ts kafka.Timestamp) (int64, error) {
	e, ok, err := x.search(io, func(e indexEntry) bool { return e.maxTimestamp >= ts })
	if !ok || err != nil {
		return 0, err
	}
	return int64(e.pos), nil
}

// search gives the last entry before the first for which past is true.
func (x *index) search(io indexIO, past func(indexEntry) bool) (indexEntry, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.tail) > 0 && !past(x.tail[0]) {
		i := sort.Search(len(x.tail), func(i int) bool { return past(x.tail[i]) })
		return x.tail[i-1], true, nil
	}
	if x.stored == 0 {
		return indexEntry{}, false, nil
	}
	h, err := io.files.acquire(&x.file, io.open)
	if err != nil {
		return indexEntry{}, false, err
	}
	defer h.release()
	if err := x.checkLocked(h, io.base); err != nil {
		return indexEntry{}, false, err
	}
	var readErr error
	var b [indexEntrySize]byte
	read := func(i int) indexEntry {
		_, err := h.ReadAt(b[:], indexHeaderSize+int64(i)*indexEntrySize)
		readErr = firstError(readErr, err)
		return decodeIndexEntry(b[:])
	}
	i := sort.Search(x.stored, func(i int) bool { return past(read(i)) })
	if i == 0 || readErr != nil {
		return indexEntry{}, false, readErr
	}
	e := read(i - 1)
	return e, readErr == nil, readErr
}

// checkLocked verifies once what an earlier process stored.
func (x *index) checkLocked(h *handle, base kafka.Offset) error {
	if x.checked {
		return nil
	}
	if _, err := x.loadLocked(h, base); err != nil {
		return err
	}
	x.checked = true
	return nil
}

func (x *index) loadLocked(h *handle, base kafka.Offset) ([]indexEntry, error) {
	b := make([]byte, indexHeaderSize+x.stored*indexEntrySize)
	if n, err := h.ReadAt(b, 0); n != len(b) {
		return nil, fmt.Errorf("index of %d entries: %w: %w", x.stored, ErrCorrupt, err)
	}
	return decodeIndex(b, base, x.stored, x.sum)
}

// replace installs entries made from the batches. Those that appends added meanwhile stay.
func (x *index) replace(io indexIO, entries []indexEntry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	newer := x.tail
	for len(newer) > 0 && len(entries) > 0 && newer[0].pos <= entries[len(entries)-1].pos {
		newer = newer[1:]
	}
	x.tail, x.stored, x.sum, x.checked, x.made = entries, 0, 0, true, false
	if x.spillLocked(io) != nil {
		x.tail, x.stored, x.sum = nil, 0, 0 // look-ups walk from the start until the next rebuild
	}
	x.tail = append([]indexEntry(nil), newer...)
}

// reset forgets all entries, as in a segment that begins.
func (x *index) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tail, x.stored, x.sum, x.checked, x.made = nil, 0, 0, true, false
}

// state gives what the checkpoint keeps of the stored part.
func (x *index) state() (stored int, sum uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stored, x.sum
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
