package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that knows what is synced, so that a test can lose power
// (CrashClone) or kill the process (ProcessCrashClone) at any moment and look at what is left.
//
// The idea is that of cockroachdb/pebble's crashable MemFS. Two simplifications: a directory
// survives as soon as it was made, and a file's size change and its bytes are lost or kept page by
// page.
type Mem struct {
	mu sync.Mutex
	// files and durable are directory entries: as seen, and as of the last SyncDir.
	files, durable map[string]*memNode
	dirs           map[string]bool
	freeBytes      int64
	now            func() time.Time
}

// memNode is a file's bytes, whatever names it has. Guarded by Mem.mu.
type memNode struct {
	data    []byte
	synced  []byte // as of the last sync
	modTime time.Time
}

// pageSize is the unit in which bytes that were not synced survive or not.
const pageSize = 512

var _ FS = (*Mem)(nil)

// NewMem is an empty file system with room for what memory holds.
func NewMem() *Mem {
	return &Mem{
		files: map[string]*memNode{}, durable: map[string]*memNode{}, dirs: map[string]bool{},
		freeBytes: 1 << 40, now: time.Now,
	}
}

// ProcessCrashClone is what a killed process leaves: everything written, and what was synced still
// known as synced.
func (m *Mem) ProcessCrashClone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cloneLocked()
}

func (m *Mem) cloneLocked() *Mem {
	c := NewMem()
	c.freeBytes, c.now = m.freeBytes, m.now
	maps.Copy(c.dirs, m.dirs)
	copied := map[*memNode]*memNode{}
	node := func(n *memNode) *memNode {
		if copied[n] == nil {
			copied[n] = &memNode{
				data: slices.Clone(n.data), synced: slices.Clone(n.synced), modTime: n.modTime,
			}
		}
		return copied[n]
	}
	for name, n := range m.files {
		c.files[name] = node(n)
	}
	for name, n := range m.durable {
		c.durable[name] = node(n)
	}
	return c
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open("open", name, false) }

// OpenReadWrite implements FS.
func (m *Mem) OpenReadWrite(name string) (File, error) { return m.open("open", name, true) }

func (m *Mem) open(op, name string, write bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files[filepath.Clean(name)]
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return &memFile{fs: m, node: n, name: name, write: write}, nil
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clean := filepath.Clean(name)
	if !m.dirs[filepath.Dir(clean)] {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrNotExist}
	}
	n := m.files[clean]
	if n == nil {
		n = &memNode{}
		m.files[clean] = n
	}
	n.data, n.modTime = nil, m.now()
	return &memFile{fs: m, node: n, name: name, write: true}, nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clean := filepath.Clean(name)
	if m.files[clean] != nil {
		delete(m.files, clean)
		return nil
	}
	if !m.dirs[clean] {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if len(m.childrenLocked(clean)) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	delete(m.dirs, clean)
	return nil
}

// RemoveAll implements FS.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clean := filepath.Clean(name)
	within := func(p string) bool {
		return p == clean || len(p) > len(clean) && p[:len(clean)+1] == clean+"/"
	}
	maps.DeleteFunc(m.files, func(p string, _ *memNode) bool { return within(p) })
	maps.DeleteFunc(m.dirs, func(p string, _ bool) bool { return within(p) })
	return nil
}

// Rename implements FS.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to := filepath.Clean(oldName), filepath.Clean(newName)
	n := m.files[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: oldName, Err: fs.ErrNotExist}
	}
	delete(m.files, from)
	m.files[to] = n
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := filepath.Clean(dir); !m.dirs[d]; d = filepath.Dir(d) {
		if m.files[d] != nil {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		m.dirs[d] = true
	}
	return nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clean := filepath.Clean(dir)
	if !m.dirs[clean] {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: fs.ErrNotExist}
	}
	return m.childrenLocked(clean), nil
}

func (m *Mem) childrenLocked(dir string) []string {
	var out []string
	for p := range m.files {
		if filepath.Dir(p) == dir {
			out = append(out, filepath.Base(p))
		}
	}
	for p := range m.dirs {
		if p != dir && filepath.Dir(p) == dir {
			out = append(out, filepath.Base(p))
		}
	}
	slices.Sort(out)
	return out
}

// Stat implements FS.
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clean := filepath.Clean(name)
	if n := m.files[clean]; n != nil {
		return Info{Size: int64(len(n.data)), ModTime: n.modTime}, nil
	}
	if m.dirs[clean] {
		return Info{IsDir: true}, nil
	}
	return Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clean := filepath.Clean(dir)
	if !m.dirs[clean] {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: fs.ErrNotExist}
	}
	maps.DeleteFunc(m.durable, func(p string, _ *memNode) bool { return filepath.Dir(p) == clean })
	for p, n := range m.files {
		if filepath.Dir(p) == clean {
			m.durable[p] = n
		}
	}
	return nil
}

// Space implements FS: a tebibyte, of which SetFreeBytes says how much is free.
func (m *Mem) Space(string) (Space, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Space{TotalBytes: 1 << 40, FreeBytes: m.freeBytes}, nil
}

// SetFreeBytes sets what Space answers. It does not limit writes: Faulty does that.
func (m *Mem) SetFreeBytes(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freeBytes = n
}

// memFile is a handle.
type memFile struct {
	fs     *Mem
	node   *memNode
	name   string
	write  bool
	closed bool // guarded by fs.mu
}

func (f *memFile) usableLocked(op string, write bool) error {
	if f.closed {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	}
	if write && !f.write {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrPermission}
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fmt.Errorf("read %s at %d: %w", f.name, off, fs.ErrInvalid)
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("write", true); err != nil {
		return 0, err
	}
	if end := off + int64(len(p)); end > int64(len(f.node.data)) {
		f.node.data = append(f.node.data, make([]byte, end-int64(len(f.node.data)))...)
	}
	f.node.modTime = f.fs.now()
	return copy(f.node.data[off:], p), nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("close", false); err != nil {
		return err
	}
	f.closed = true
	return nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("sync", false); err != nil {
		return err
	}
	f.node.synced = slices.Clone(f.node.data)
	return nil
}

func (f *memFile) SyncData() error { return f.Sync() }

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("truncate", true); err != nil {
		return err
	}
	if size <= int64(len(f.node.data)) {
		f.node.data = slices.Clone(f.node.data[:size])
		return nil
	}
	f.node.data = append(f.node.data, make([]byte, size-int64(len(f.node.data)))...)
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("stat", false); err != nil {
		return 0, err
	}
	return int64(len(f.node.data)), nil
}
