package hotlog

import (
	"fmt"
	"sort"
	"time"

	"github.com/varve-log/varve/kafka"
)

// Rolled lists the closed segments whose bytes, index and producer snapshot are synced, oldest
// first.
func (l *Log) Rolled() []RolledSegment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []RolledSegment
	for _, s := range l.view.Load().segs {
		if !s.reported {
			break
		}
		out = append(out, RolledSegment{
			BaseOffset: s.info.base, NextOffset: s.info.next, Bytes: s.info.bytes,
			MinTimestamp: s.info.minTimestamp, MaxTimestamp: s.info.maxTimestamp,
			RolledAt:      time.UnixMilli(s.info.rolledMs),
			FirstAppendAt: time.UnixMilli(s.info.firstAppendMs),
			Cleaned:       s.id.gen > 0,
		})
	}
	return out
}

// OpenSegment pins the rolled segment that begins at base: it stays readable until closed, whatever
// happens to the log. ErrNoSegment when there is none.
func (l *Log) OpenSegment(base kafka.Offset) (SegmentFile, error) {
	v := l.view.Load()
	last := len(v.segs) - 1
	i := sort.Search(len(v.segs), func(i int) bool { return v.segs[i].base >= base })
	if i >= last || v.segs[i].base != base {
		return nil, fmt.Errorf("segment at %d: %w", base, ErrNoSegment)
	}
	s := v.segs[i]
	h, err := l.files.open(s)
	if err == errGone {
		return nil, fmt.Errorf("segment at %d: %w", base, ErrNoSegment)
	}
	if err != nil {
		return nil, err
	}
	return &pinnedSegment{h: h, size: s.size.Load()}, nil
}

// Release deletes the rolled segments that end at or below an offset, oldest first, and moves the
// local log start. The caller has seen to V6. Readers that are under way finish. Where a file
// cannot be removed the error says so; the segment is gone from the log all the same, and the file
// at the next open.
func (l *Log) Release(below kafka.Offset) (segments int, bytes int64, err error) {
	l.workMu.Lock()
	defer l.workMu.Unlock()
	l.mu.Lock()
	if l.state != stateOpen {
		l.mu.Unlock()
		return 0, 0, ErrClosed
	}
	v := l.view.Load()
	n := 0
	for n < len(v.segs)-1 && v.segs[n].reported && v.segs[n].info.next <= below {
		n++
	}
	if n == 0 {
		l.mu.Unlock()
		return 0, 0, nil
	}
	l.view.Store(&view{segs: append([]*hotSegment(nil), v.segs[n:]...)})
	l.txns.release(v.segs[n].base)
	l.marks.changed, l.marks.durableChanged = true, true
	l.mu.Unlock()
	for i, s := range v.segs[:n] {
		bytes += s.info.bytes
		err = firstError(err, l.releaseFiles(s, i < n-1))
	}
	l.bytes.Add(-bytes)
	l.deps.Budget.add(-bytes)
	return n, bytes, err
}

// releaseFiles unlinks a segment. With sync set the removal is durable before the next one's, so
// that a power loss leaves no hole in the log.
func (l *Log) releaseFiles(s *hotSegment, sync bool) error {
	err := l.files.remove(s)
	err = firstError(err, removeIfThere(l.files.fs, l.files.snapshotPath(s.base)))
	if err == nil && sync {
		err = l.files.fs.SyncDir(l.files.dir)
	}
	if err != nil {
		return fmt.Errorf("release segment %d: %w", s.base, err)
	}
	return nil
}
