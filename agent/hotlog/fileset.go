package hotlog

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/varve-log/varve/internal/vfs"
)

// openFilesMax is the default bound of idle descriptors where the process may have more.
const openFilesMax = 4096

// errGone says that a file was removed by Release, Truncate or Reset after it was looked up.
var errGone = errors.New("segment file is gone")

// FileSet bounds the open files of all logs that share it. Descriptors in use are never closed, so
// the bound may be passed by as many as are in use at once; idle ones are closed, the longest
// unused first (by the clock algorithm), when a further one is opened.
//
// Finding an open file costs two atomic operations and no lock.
type FileSet struct {
	max int

	mu    sync.Mutex
	clock []*handle // open handles, in no order
	hand  int
}

// NewFileSet keeps at most max descriptors open that no one is using; 0 means half of the process's
// limit, 4096 at most.
func NewFileSet(max int) *FileSet {
	if max <= 0 {
		max = defaultOpenFiles()
	}
	return &FileSet{max: max}
}

func defaultOpenFiles() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return openFilesMax / 2
	}
	half := uint64(lim.Cur) / 2
	return int(max(16, min(half, uint64(openFilesMax), math.MaxInt32)))
}

// Open tells how many descriptors are open.
func (s *FileSet) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clock)
}

// Close closes the descriptors that no one is using. Logs close theirs themselves.
func (s *FileSet) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.clock) - 1; i >= 0; i-- {
		h := s.clock[i]
		if h.refs.CompareAndSwap(1, 0) {
			s.removeLocked(h)
			h.slot.cur.CompareAndSwap(h, nil)
			_ = h.Close() // as in release
		}
	}
	return nil
}

// handle is an open descriptor. refs counts its users and, while it may be found, the set itself.
type handle struct {
	vfs.File
	refs atomic.Int32
	used atomic.Bool // since the clock's hand last passed
	slot *slot
	at   int // place in FileSet.clock, -1 when not in it; guarded by FileSet.mu
}

func (h *handle) tryRef() bool {
	for {
		n := h.refs.Load()
		if n <= 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends one use. The last one closes the file; what it had not synced is not lost by that.
func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		_ = h.Close() // read or already written: an error here loses nothing that a sync promised
	}
}

// slot is the place of one file that the set opens and closes as it likes.
type slot struct {
	cur atomic.Pointer[handle]

	mu   sync.Mutex // held while opening; guards gone
	gone bool
}

// acquire finds or opens the slot's file and pins it until release. errGone after drop.
func (s *FileSet) acquire(sl *slot, open func() (vfs.File, error)) (*handle, error) {
	if h := sl.cur.Load(); h != nil && h.tryRef() {
		if !h.used.Load() {
			h.used.Store(true)
		}
		return h, nil
	}
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.gone {
		return nil, errGone
	}
	if h := sl.cur.Load(); h != nil && h.tryRef() {
		return h, nil
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	return s.insert(sl, f), nil
}

// insert makes f the slot's file and pins it for the caller. The caller holds sl.mu.
func (s *FileSet) insert(sl *slot, f vfs.File) *handle {
	h := &handle{File: f, slot: sl}
	h.refs.Store(2)
	h.used.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evictLocked()
	h.at = len(s.clock)
	s.clock = append(s.clock, h)
	sl.cur.Store(h)
	return h
}

// evictLocked closes idle handles until one more fits, as far as there are idle ones.
func (s *FileSet) evictLocked() {
	for budget := 2 * len(s.clock); budget > 0 && len(s.clock) >= s.max; budget-- {
		if s.hand >= len(s.clock) {
			s.hand = 0
		}
		h := s.clock[s.hand]
		if h.used.Swap(false) || !h.refs.CompareAndSwap(1, 0) {
			s.hand++
			continue
		}
		s.removeLocked(h)
		h.slot.cur.CompareAndSwap(h, nil)
		_ = h.Close() // as in release
	}
}

func (s *FileSet) removeLocked(h *handle) {
	last := len(s.clock) - 1
	s.clock[h.at] = s.clock[last]
	s.clock[h.at].at = h.at
	s.clock[last] = nil
	s.clock = s.clock[:last]
	h.at = -1
}

// drop closes the slot's file once its users are done and lets no one open it again.
func (s *FileSet) drop(sl *slot) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.gone = true
	h := sl.cur.Swap(nil)
	if h == nil {
		return
	}
	s.mu.Lock()
	present := h.at >= 0
	if present {
		s.removeLocked(h)
	}
	s.mu.Unlock()
	if present {
		h.release()
	}
}
