package vfs

import (
	"io/fs"
	"strings"
	"sync"
	"syscall"
)

// Op names a call that Faulty can make fail.
type Op string

// The calls.
const (
	OpOpen     Op = "open"
	OpCreate   Op = "create"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpSync     Op = "sync" // Sync and SyncData
	OpTruncate Op = "truncate"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpSyncDir  Op = "syncdir"
)

// Fault makes calls fail.
type Fault struct {
	Op Op
	// NameHas restricts it to names that contain this.
	NameHas string
	// After lets so many matching calls through first.
	After int
	// Times is how often it fails, 0 for always.
	Times int
	// Err is what comes back, syscall.EIO when nil.
	Err error
	// Partial is how many bytes a failing write writes first.
	Partial int
}

// Faulty wraps a file system and fails by rule. It is safe for concurrent use.
type Faulty struct {
	FS
	mu     sync.Mutex
	faults []*Fault
	room   int64 // bytes that may still be written, -1 for no limit
	hits   int
}

var _ FS = (*Faulty)(nil)

// NewFaulty wraps a file system; at first nothing fails.
func NewFaulty(inner FS) *Faulty { return &Faulty{FS: inner, room: -1} }

// Inject adds a fault.
func (f *Faulty) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &fault)
}

// SetRoom lets n more bytes be written before the disk is full; -1 lifts the limit. A write that
// does not fit writes what fits and is ENOSPC.
func (f *Faulty) SetRoom(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room = n
}

// Heal removes all faults and the limit.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.room = nil, -1
}

// Hits tells how many calls failed so far.
func (f *Faulty) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// check gives the error a call is to fail with, or nil, and how much a write writes before.
func (f *Faulty) check(op Op, name string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.faults {
		if fault.Op != op || !strings.Contains(name, fault.NameHas) {
			continue
		}
		if fault.After > 0 {
			fault.After--
			continue
		}
		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				f.faults = append(f.faults[:i:i], f.faults[i+1:]...)
			}
		}
		f.hits++
		err := fault.Err
		if err == nil {
			err = syscall.EIO
		}
		return fault.Partial, classify(&fs.PathError{Op: string(op), Path: name, Err: err})
	}
	return 0, nil
}

// takeRoom gives how many of n bytes fit.
func (f *Faulty) takeRoom(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.room < 0 {
		return n
	}
	fit := int(min(int64(n), f.room))
	f.room -= int64(fit)
	if fit < n {
		f.hits++
	}
	return fit
}

// Open implements FS.
func (f *Faulty) Open(name string) (File, error) { return f.open(OpOpen, name, f.FS.Open) }

// OpenReadWrite implements FS.
func (f *Faulty) OpenReadWrite(name string) (File, error) {
	return f.open(OpOpen, name, f.FS.OpenReadWrite)
}

// Create implements FS.
func (f *Faulty) Create(name string) (File, error) { return f.open(OpCreate, name, f.FS.Create) }

func (f *Faulty) open(op Op, name string, open func(string) (File, error)) (File, error) {
	if _, err := f.check(op, name); err != nil {
		return nil, err
	}
	inner, err := open(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: inner, fs: f, name: name}, nil
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	if _, err := f.check(OpRemove, name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// Rename implements FS.
func (f *Faulty) Rename(oldName, newName string) error {
	if _, err := f.check(OpRename, newName); err != nil {
		return err
	}
	return f.FS.Rename(oldName, newName)
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(dir string) error {
	if _, err := f.check(OpSyncDir, dir); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

type faultyFile struct {
	File
	fs   *Faulty
	name string
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if _, err := f.fs.check(OpRead, f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if partial, err := f.fs.check(OpWrite, f.name); err != nil {
		n, writeErr := f.File.WriteAt(p[:min(partial, len(p))], off)
		return n, firstError(writeErr, err)
	}
	fit := f.fs.takeRoom(len(p))
	n, err := f.File.WriteAt(p[:fit], off)
	if err == nil && fit < len(p) {
		err = classify(&fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC})
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	if _, err := f.fs.check(OpSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) SyncData() error {
	if _, err := f.fs.check(OpSync, f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *faultyFile) Truncate(size int64) error {
	if _, err := f.fs.check(OpTruncate, f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
