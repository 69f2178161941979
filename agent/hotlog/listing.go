package hotlog

import (
	"errors"
	iofs "io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// listing is what a log directory holds.
type listing struct {
	logs      []segmentID // ascending by base, then by generation
	indexes   []segmentID
	snapshots []kafka.Offset
	present   bool // the directory exists
}

// list reads the directory and removes what a rename did not finish.
func (l *Log) list() (listing, error) {
	names, err := l.files.fs.ReadDir(l.files.dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return listing{}, nil
	}
	if err != nil {
		return listing{}, err
	}
	out := listing{present: true}
	for _, name := range names {
		if id, ok := parseSegmentName(name, logSuffix); ok {
			out.logs = append(out.logs, id)
			l.gen = max(l.gen, id.gen)
		} else if id, ok := parseSegmentName(name, indexSuffix); ok {
			out.indexes = append(out.indexes, id)
			l.gen = max(l.gen, id.gen)
		} else if base, ok := parseFileName(name, snapshotSuffix); ok {
			out.snapshots = append(out.snapshots, base)
		} else if strings.HasSuffix(name, vfs.TempSuffix) {
			if err := removeIfThere(l.files.fs, filepath.Join(l.files.dir, name)); err != nil {
				return out, err
			}
		}
	}
	slices.SortFunc(out.logs, segmentID.compare)
	return out, nil
}

func (id segmentID) compare(o segmentID) int {
	switch {
	case id.base < o.base, id.base == o.base && id.gen < o.gen:
		return -1
	case id == o:
		return 0
	}
	return 1
}

// newest is the segment of the last cleaning among those that begin at base, of which there is one.
func (ls *listing) newest(base kafka.Offset) segmentID {
	out := segmentID{base: base}
	for _, id := range ls.logs {
		if id.base == base {
			out = id
		}
	}
	return out
}

// unlink removes a segment's files. A missing one is no error.
func (f *files) unlink(id segmentID) error {
	var err error
	for _, suffix := range []string{logSuffix, indexSuffix} {
		err = firstError(err, removeIfThere(f.fs, f.path(id, suffix)))
	}
	return err
}

// sweepOrphans removes what belongs to no segment of the log. Segment files go for good before
// anything is appended: they were cleaned, released, or made by a cleaning that was cut short, and
// a later scan without a checkpoint must not meet them. Indexes and snapshots harm no one; what
// cannot be removed now is tried at the next open.
func (l *Log) sweepOrphans(ls listing) error {
	v := l.view.Load()
	live := map[segmentID]bool{}
	bases := map[kafka.Offset]bool{}
	for _, s := range v.segs {
		live[s.id] = true
		bases[s.base] = true
	}
	swept := false
	for _, id := range ls.logs {
		if live[id] {
			continue
		}
		l.deps.Logger.Info("segment file of an earlier state removed", "object", id.name(logSuffix))
		swept = true
		if err := l.files.unlink(id); err != nil {
			return err
		}
	}
	for _, id := range ls.indexes {
		if !live[id] {
			_ = l.files.fs.Remove(l.files.path(id, indexSuffix))
		}
	}
	for _, at := range ls.snapshots {
		if !bases[at] {
			_ = l.files.fs.Remove(l.files.snapshotPath(at))
		}
	}
	if swept {
		return l.files.fs.SyncDir(l.files.dir)
	}
	return nil
}
