package hotlog

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path/filepath"
	"time"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// restoringFile marks a directory that Restore has not finished.
const restoringFile = "restoring"

// Source is where a log is restored from.
type Source struct {
	// StartOffset is where the log begins.
	StartOffset kafka.Offset
	// Read calls add with whole batches in the order of their offsets, which may have gaps of less than
	// 2^31, and returns what else the log has to know.
	Read func(add func(batches []byte) error) (Image, error)
}

// Image is what a restored log knows beside its batches.
type Image struct {
	// EndOffset is where it goes on: the last batch ends there, unless all end below LogStartOffset.
	EndOffset kafka.Offset
	Epochs    []kafka.EpochStart
	Producers []segment.ProducerState
	Aborted   []segment.AbortedTxn
	// LogStartOffset is the committed one.
	LogStartOffset kafka.Offset
}

// Restore makes dir hold the log of a source, in place of whatever was there. Open it afterwards. A
// crash before Restore has returned leaves a mark in dir, by which Open takes it for empty.
//
// Errors: those of the source; ErrCorrupt for batches that do not follow each other, or lie outside
// of the log; ErrDiskFull.
func Restore(fs vfs.FS, dir string, cfg Config, from Source, deps Deps) error {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	r := restorer{fs: fs, dir: dir, cfg: cfg, deps: deps, start: from.StartOffset}
	err := r.begin()
	if err == nil {
		var image Image
		if image, err = from.Read(r.add); err == nil {
			err = r.finish(image)
		}
	}
	if err = firstError(err, r.closeFile()); err != nil {
		return classify(fmt.Errorf("restore log %s: %w", dir, err))
	}
	return nil
}

type restorer struct {
	fs    vfs.FS
	dir   string
	cfg   Config
	deps  Deps
	start kafka.Offset

	segments []segmentInfo // the last one is being written
	file     vfs.File
}

// begin marks the directory and empties it.
func (r *restorer) begin() error {
	if err := r.fs.MkdirAll(r.dir); err != nil {
		return err
	}
	mark := filepath.Join(r.dir, restoringFile)
	if err := vfs.WriteFileAtomic(r.fs, mark, nil, true); err != nil {
		return err
	}
	if err := r.fs.SyncDir(filepath.Dir(r.dir)); err != nil {
		return err
	}
	return emptyMarked(r.fs, r.dir)
}

// emptyMarked removes all but the mark from a directory.
func emptyMarked(fs vfs.FS, dir string) error {
	names, err := fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == restoringFile {
			continue
		}
		if err := fs.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return fs.SyncDir(dir)
}

// add writes batches to the newest segment, and to new ones where that is full.
func (r *restorer) add(batches []byte) error {
	written := 0 // of batches
	for rest := batches; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			return err
		}
		next := r.start
		if n := len(r.segments); n > 0 {
			next = r.segments[n-1].next
		}
		if b.BaseOffset() < next {
			return fmt.Errorf("batch at %d follows offset %d: %w", b.BaseOffset(), next, ErrCorrupt)
		}
		if len(r.segments) == 0 || r.full(b) {
			done := len(batches) - len(rest)
			if err := r.write(batches[written:done]); err != nil {
				return err
			}
			written = done
			if !fitsIndex(b.LastOffset() - next) {
				return fmt.Errorf("batch at %d follows offset %d: %w", b.BaseOffset(), next, ErrCorrupt)
			}
			if err := r.roll(next); err != nil { // segments are dense, gaps lie within them
				return err
			}
		}
		r.segments[len(r.segments)-1].note(b, int64(b.Size()), r.nowMs())
		rest = after
	}
	return r.write(batches[written:])
}

// write appends to the file of the newest segment what the segment already counts.
func (r *restorer) write(batches []byte) error {
	if len(batches) == 0 {
		return nil
	}
	end := r.segments[len(r.segments)-1].bytes
	_, err := r.file.WriteAt(batches, end-int64(len(batches)))
	return err
}

func (r *restorer) nowMs() int64 { return r.deps.Now().UnixMilli() }

// full reports whether a batch begins a new segment.
func (r *restorer) full(b record.Batch) bool {
	s := &r.segments[len(r.segments)-1]
	return s.bytes+int64(b.Size()) > r.cfg.SegmentBytes || !fitsIndex(b.LastOffset()-s.base)
}

// fitsIndex reports whether a distance from a segment's base fits an index entry.
func fitsIndex(rel kafka.Offset) bool { return rel == kafka.Offset(int32(rel)) }

// roll closes the segment that is written and begins the next one.
func (r *restorer) roll(base kafka.Offset) error {
	if err := r.closeFile(); err != nil {
		return err
	}
	if n := len(r.segments); n > 0 {
		r.segments[n-1].rolledMs = r.nowMs()
	}
	var err error
	r.file, err = r.fs.Create(filepath.Join(r.dir, fileName(base, logSuffix)))
	r.segments = append(r.segments, emptyInfo(base))
	return err
}

// closeFile makes the segment that is written durable.
func (r *restorer) closeFile() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return firstError(f.Sync(), f.Close())
}

// finish writes the state of the log and takes the mark away. The active segment is a new one at the
// end.
func (r *restorer) finish(i Image) error {
	if n := len(r.segments); n > 0 && r.segments[n-1].next != i.EndOffset {
		if r.segments[n-1].next > min(i.LogStartOffset, i.EndOffset) {
			return fmt.Errorf("batches up to %d of a log up to %d: %w",
				r.segments[n-1].next, i.EndOffset, ErrCorrupt)
		}
		if err := r.forget(); err != nil {
			return err
		}
	}
	if err := r.roll(i.EndOffset); err != nil {
		return err
	}
	if err := r.closeFile(); err != nil {
		return err
	}
	c := r.state(i)
	name := filepath.Join(r.dir, fileName(i.EndOffset, snapshotSuffix))
	if err := vfs.WriteFileAtomic(r.fs, name, encodeSnapshot(c.producers), true); err != nil {
		return err
	}
	name = filepath.Join(r.dir, checkpointFile)
	if err := vfs.WriteFileAtomic(r.fs, name, c.encode(), true); err != nil {
		return err
	}
	if err := r.fs.Remove(filepath.Join(r.dir, restoringFile)); err != nil {
		return err
	}
	return r.fs.SyncDir(r.dir)
}

// forget drops what was written: it lies below the log start.
func (r *restorer) forget() error {
	if err := r.closeFile(); err != nil {
		return err
	}
	r.segments = nil
	return emptyMarked(r.fs, r.dir)
}

// state is the checkpoint of the restored log.
func (r *restorer) state(i Image) *checkpoint {
	c := &checkpoint{
		sequence: 1, bootID: r.deps.BootID, logStart: max(0, i.LogStartOffset), flushed: i.EndOffset,
		segments: r.segments, epochs: i.Epochs,
		producers: importProducers(i.Producers, i.EndOffset, r.nowMs()),
	}
	for n := range c.segments {
		s := &c.segments[n]
		s.synced = n+1 < len(c.segments)
	}
	for _, a := range i.Aborted {
		c.aborted = append(c.aborted, endedTxn{
			producer: a.ProducerID, first: a.FirstOffset, last: a.LastOffset,
			stable: a.LastStableOffset, aborted: true,
		})
	}
	return c
}

// isUnfinished reports whether a Restore of the log in dir was cut short.
func isUnfinished(fs vfs.FS, dir string) (bool, error) {
	_, err := fs.Stat(filepath.Join(dir, restoringFile))
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// dropUnfinished empties a directory that Restore has not finished.
func (l *Log) dropUnfinished() error {
	unfinished, err := isUnfinished(l.files.fs, l.files.dir)
	if err != nil || !unfinished {
		return err
	}
	l.deps.Logger.Info("restore of the log was cut short, beginning anew", "object", l.files.dir)
	if err := emptyMarked(l.files.fs, l.files.dir); err != nil {
		return err
	}
	if err := l.files.fs.Remove(filepath.Join(l.files.dir, restoringFile)); err != nil {
		return err
	}
	return l.files.fs.SyncDir(l.files.dir)
}
