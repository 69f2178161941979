package vfs

import (
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// FS names files by slash-free native paths. All methods are safe for concurrent use.
type FS interface {
	// Open opens an existing file for reading. A missing one is fs.ErrNotExist.
	Open(name string) (File, error)
	// OpenReadWrite opens an existing file for reading and writing.
	OpenReadWrite(name string) (File, error)
	// Create makes an empty file, or empties the one that is there, for reading and writing.
	Create(name string) (File, error)
	// Remove unlinks a file or an empty directory. Open handles go on working.
	Remove(name string) error
	// RemoveAll removes a tree; what is absent is no error.
	RemoveAll(name string) error
	// Rename moves a file within one file system and replaces what has the new name, atomically for
	// whoever looks; durably only after SyncDir.
	Rename(oldName, newName string) error
	// MkdirAll makes a directory and its parents.
	MkdirAll(dir string) error
	// ReadDir lists the names in a directory, sorted.
	ReadDir(dir string) ([]string, error)
	// Stat describes a file or a directory.
	Stat(name string) (Info, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
	// Space tells of the file system below dir.
	Space(dir string) (Space, error)
}

// File is an open file. Reads and writes carry their position, so there is no cursor to share.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes bytes and metadata durable.
	Sync() error
	// SyncData makes the bytes durable, and of the metadata what is needed to read them.
	SyncData() error
	// Truncate sets the size.
	Truncate(size int64) error
	// Size tells the size in bytes.
	Size() (int64, error)
}

// Space is the size of a file system, and how much an unprivileged process may still write there.
type Space struct {
	TotalBytes int64
	FreeBytes  int64
}

// Info describes a file.
type Info struct {
	Size    int64
	ModTime time.Time
	IsDir   bool
}

// ReadFile reads a whole file of at most maxBytes; a larger one is an error, since whoever calls
// knows how large its file may be.
func ReadFile(fs FS, name string, maxBytes int64) (_ []byte, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxBytes {
		return nil, fmt.Errorf("read %s: %d bytes, at most %d expected", name, size, maxBytes)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && (err != io.EOF || int64(n) != size) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// WriteFileAtomic replaces a file by way of a temporary name: whoever looks sees the old bytes or
// the new ones. With durable set, the new ones are on disk, under their name, when it returns;
// without, only a process crash is survived, not a power loss. After an error the old file is still
// there or the new one is; a left-over has the suffix TempSuffix.
func WriteFileAtomic(fs FS, name string, b []byte, durable bool) error {
	temp := name + TempSuffix
	if err := writeFile(fs, temp, b, durable); err != nil {
		_ = fs.Remove(temp) // best effort: an opener sweeps what has the suffix
		return err
	}
	if err := fs.Rename(temp, name); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	return fs.SyncDir(filepath.Dir(name))
}

// TempSuffix ends the name of a file that WriteFileAtomic did not finish.
const TempSuffix = ".tmp"

func writeFile(fs FS, name string, b []byte, durable bool) (err error) {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, f.Close()) }()
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if durable {
		return f.Sync()
	}
	return nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
