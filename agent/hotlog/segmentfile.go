package hotlog

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Suffixes of the files of a log directory. The first three follow a 20-digit offset.
const (
	logSuffix      = ".log"
	indexSuffix    = ".index"
	snapshotSuffix = ".producers"
	checkpointFile = "checkpoint"
	fastFile       = "checkpoint.fast"
)

// fileName is <offset, 20 digits><suffix>, so that names sort as offsets do.
func fileName(base kafka.Offset, suffix string) string {
	s := strconv.FormatInt(int64(base), 10)
	const digits = 20
	if len(s) >= digits {
		return s + suffix
	}
	return strings.Repeat("0", digits-len(s)) + s + suffix
}

// parseFileName is the inverse of fileName for one suffix.
func parseFileName(name, suffix string) (kafka.Offset, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return kafka.Offset(n), err == nil
}

// segmentID names a segment's files. What a cleaning makes of segments has another generation than
// they, and so other names: a file never changes into another.
type segmentID struct {
	base kafka.Offset
	gen  uint32 // 0 as appended, else the number of the cleaning that made it
}

// name is <base>.log, or <base>-<generation, 10 digits>.log.
func (id segmentID) name(suffix string) string {
	if id.gen == 0 {
		return fileName(id.base, suffix)
	}
	return fileName(id.base, fmt.Sprintf("-%010d%s", id.gen, suffix))
}

// parseSegmentName is the inverse of name for one suffix.
func parseSegmentName(name, suffix string) (id segmentID, ok bool) {
	if id.base, ok = parseFileName(name, suffix); ok {
		return id, true
	}
	stem, ok := strings.CutSuffix(name, suffix)
	if !ok || len(stem) != 31 || stem[20] != '-' {
		return segmentID{}, false
	}
	base, err1 := strconv.ParseUint(stem[:20], 10, 63)
	gen, err2 := strconv.ParseUint(stem[21:], 10, 32)
	return segmentID{base: kafka.Offset(base), gen: uint32(gen)},
		err1 == nil && err2 == nil && gen > 0
}

// segmentInfo is what the log remembers of a segment without looking into its file.
type segmentInfo struct {
	base, next kafka.Offset
	gen        uint32 // see segmentID
	bytes      int64
	// minTimestamp and maxTimestamp over the batch headers, firstTimestamp the first batch's
	// maximum; kafka.NoTimestamp without one.
	minTimestamp, maxTimestamp, firstTimestamp kafka.Timestamp
	maxTimestampPos                            uint32 // of the first batch that has it
	lastPos                                    uint32 // of the last batch
	firstAppendMs, rolledMs                    int64  // wall clock, 0 when not yet
	indexStored                                int
	indexSum                                   uint32
	synced                                     bool
}

func (i *segmentInfo) id() segmentID { return segmentID{base: i.base, gen: i.gen} }

func emptyInfo(base kafka.Offset) segmentInfo {
	return segmentInfo{
		base: base, next: base, minTimestamp: kafka.NoTimestamp,
		maxTimestamp: kafka.NoTimestamp, firstTimestamp: kafka.NoTimestamp,
	}
}

// note takes in the batch at the end of the segment. Only its header has to be there.
func (i *segmentInfo) note(b record.Batch, size int64, nowMs int64) {
	pos := uint32(i.bytes)
	maxTs := b.MaxTimestamp()
	minTs := b.BaseTimestamp()
	if _, cleaned := b.DeleteHorizon(); cleaned || b.TimestampType() == record.LogAppendTime {
		minTs = maxTs
	}
	if i.bytes == 0 {
		i.firstTimestamp, i.firstAppendMs = maxTs, nowMs
	}
	if b.Count() == 0 { // a cleaning left only its offsets
		minTs, maxTs = kafka.NoTimestamp, kafka.NoTimestamp
	}
	if minTs >= 0 && (i.minTimestamp < 0 || minTs < i.minTimestamp) {
		i.minTimestamp = minTs
	}
	if maxTs > i.maxTimestamp {
		i.maxTimestamp, i.maxTimestampPos = maxTs, pos
	}
	i.lastPos = pos
	i.bytes += size
	i.next = b.BaseOffset() + kafka.Offset(b.LastOffsetDelta()) + 1
}

// noteOldest corrects minTimestamp for a whole batch whose base timestamp is a delete horizon.
func (i *segmentInfo) noteOldest(b record.Batch) error {
	if _, cleaned := b.DeleteHorizon(); !cleaned || b.Count() == 0 {
		return nil
	}
	low, _, err := b.TimestampBounds(record.DefaultLimits())
	if low >= 0 && low < i.minTimestamp {
		i.minTimestamp = low
	}
	return err
}

// followed reports whether a batch at this offset may be the segment's next. Appends leave no gap, so
// in the last segment none may be; cleanings and restores do.
func (s *hotSegment) followed(base kafka.Offset, last bool) bool {
	return base == s.info.next || base > s.info.next && (s.id.gen > 0 || !last)
}

// hotSegment is one file of batches and what belongs to it.
type hotSegment struct {
	base  kafka.Offset
	id    segmentID
	file  slot
	index index
	// size is how many bytes readers may see: whole batches of successful appends.
	size atomic.Int64
	// reads remembers where sequential readers will go on: relative offset and position of batch
	// boundaries, packed; zero is one, too.
	reads    [4]atomic.Uint64
	readTurn atomic.Uint32

	// Guarded by Log.mu, constant once rolled.
	info      segmentInfo
	indexedAt int64  // position of the last index entry
	created   bool   // the file exists
	reported  bool   // Rolled may list it
	snapshot  []byte // producers as of its end, until the file is written
}

func newSegment(info segmentInfo) *hotSegment {
	s := &hotSegment{base: info.base, id: info.id(), info: info, indexedAt: info.bytes}
	s.size.Store(info.bytes)
	s.index.stored, s.index.sum = info.indexStored, info.indexSum
	s.index.made = info.indexStored > 0
	return s
}

// remembered is the position of a batch boundary that a reader left off at.
func (s *hotSegment) remembered(from kafka.Offset) (int64, bool) {
	rel := uint64(from - s.base)
	if rel == 0 {
		return 0, true
	}
	for i := range s.reads {
		if v := s.reads[i].Load(); v>>32 == rel {
			return int64(v & math.MaxUint32), true
		}
	}
	return 0, false
}

func (s *hotSegment) remember(next kafka.Offset, pos int64) {
	rel := uint64(next - s.base)
	if rel == 0 || rel > math.MaxUint32 || pos > math.MaxUint32 {
		return
	}
	i := s.readTurn.Add(1) % uint32(len(s.reads))
	s.reads[i].Store(rel<<32 | uint64(pos))
}

// files opens what belongs to segments of one directory.
type files struct {
	fs   vfs.FS
	dir  string
	set  *FileSet
	made bool // the directory exists; guarded by Log.mu
}

func (f *files) path(id segmentID, suffix string) string {
	return filepath.Join(f.dir, id.name(suffix))
}

// snapshotPath names the producers as of an offset.
func (f *files) snapshotPath(at kafka.Offset) string {
	return filepath.Join(f.dir, fileName(at, snapshotSuffix))
}

func (f *files) checkpointPath() string { return filepath.Join(f.dir, checkpointFile) }

// open pins the segment's file.
func (f *files) open(s *hotSegment) (*handle, error) {
	return f.set.acquire(&s.file, func() (vfs.File, error) {
		return f.fs.OpenReadWrite(f.path(s.id, logSuffix))
	})
}

// create makes the segment's file, empty. The caller holds Log.mu.
func (f *files) create(s *hotSegment) error {
	if !f.made {
		if err := f.fs.MkdirAll(f.dir); err != nil {
			return err
		}
		f.made = true
	}
	file, err := f.fs.Create(f.path(s.id, logSuffix))
	if err != nil {
		return err
	}
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	f.set.insert(&s.file, file).release()
	s.created = true
	return nil
}

func (f *files) indexIO(s *hotSegment) indexIO {
	return indexIO{files: f.set, base: s.base, open: func() (vfs.File, error) {
		name := f.path(s.id, indexSuffix)
		file, err := f.fs.OpenReadWrite(name)
		if errors.Is(err, iofs.ErrNotExist) {
			return f.fs.Create(name)
		}
		return file, err
	}}
}

// drop closes the segment's descriptors; whoever has them pinned goes on.
func (f *files) drop(s *hotSegment) {
	f.set.drop(&s.file)
	f.set.drop(&s.index.file)
}

// remove drops a segment and unlinks its files. A missing one is no error.
func (f *files) remove(s *hotSegment) error {
	f.drop(s)
	return f.unlink(s.id)
}

func removeIfThere(fs vfs.FS, name string) error {
	if err := fs.Remove(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return nil
}

// pinnedSegment is what OpenSegment gives out.
type pinnedSegment struct {
	h      *handle
	size   int64
	closed atomic.Bool
}

var _ SegmentFile = (*pinnedSegment)(nil)

func (p *pinnedSegment) Size() int64 { return p.size }

func (p *pinnedSegment) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read segment at %d: %w", off, iofs.ErrInvalid)
	}
	if off >= p.size {
		return 0, io.EOF
	}
	short := int64(len(b)) > p.size-off
	if short {
		b = b[:p.size-off]
	}
	n, err := p.h.ReadAt(b, off)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

func (p *pinnedSegment) Close() error {
	if !p.closed.Swap(true) {
		p.h.release()
	}
	return nil
}
