package file

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

const (
	copyBytes   = 1 << 20
	windowBytes = 8 << 20
	largeBytes  = 3 * windowBytes
	renameTries = 20               // each lost to a Delete that pruned the directory meanwhile
	orphanAge   = 10 * time.Second // covers the moment between a file's creation and its lock
)

var (
	copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

// Put implements objstore.Store. The body is copied through one pooled buffer, hashed on the way
// and held against the caller's checksum, and synced before it becomes visible.
func (s *Store) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	info, err := s.put(ctx, key, body, cond)
	if err == nil {
		return info, nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w; free some space under %s", objstore.ErrUnavailable, err, s.root)
	}
	return objstore.Info{}, fmt.Errorf("put %s: %w", key, err)
}

func (s *Store) put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return objstore.Info{}, err
	}
	if err := cond.Check(); err != nil {
		return objstore.Info{}, err
	}
	if _, err := current(path, cond); err != nil { // spares the copy; checked again under the lock
		return objstore.Info{}, err
	}
	tmp, err := s.createTemp()
	if err != nil {
		return objstore.Info{}, err
	}
	published := false
	defer func() {
		if !published {
			_ = os.Remove(tmp.Name())
		}
		_ = tmp.Close() // after the removal: its lock says that it is no orphan
	}()
	if err := fill(ctx, tmp, body); err != nil {
		return objstore.Info{}, err
	}
	if err := s.publish(ctx, key, tmp, cond); err != nil {
		return objstore.Info{}, err
	}
	published = true
	// Outside the lock: others may see the object before it is durable, but not act on it after a
	// power loss that takes it away, since that takes them away too.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return objstore.Info{}, fmt.Errorf("%w: sync directory: %w", objstore.ErrUnknownOutcome, err)
	}
	return openInfo(tmp, key)
}

// publish renames the finished file into place under the key's lock, if the condition holds.
func (s *Store) publish(
	ctx context.Context, key string, tmp *os.File, cond objstore.Condition,
) error {
	path := filepath.Join(s.root, filepath.FromSlash(key))
	unlock, err := s.locks.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := current(path, cond)
	if err != nil {
		return err
	}
	st, err := tmp.Stat()
	if err != nil {
		return err
	}
	if old != nil && !st.ModTime().After(old.ModTime()) {
		next := old.ModTime().Add(time.Nanosecond)
		if err := os.Chtimes(tmp.Name(), next, next); err != nil {
			return err
		}
	}
	for range renameTries {
		if err = os.Rename(tmp.Name(), path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err := makeDirs(filepath.Dir(path)); err != nil {
			return refineDirError(err, key)
		}
	}
	return refineDirError(err, key)
}

// refineDirError tells of keys that cannot live side by side in a directory tree.
func refineDirError(err error, key string) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) ||
		errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("%w: a file store cannot keep %q and a key below or above it: %w",
			objstore.ErrInvalidKey, key, err)
	}
	return err
}

// current checks the condition against the object there is now, nil if there is none.
func current(path string, cond objstore.Condition) (fs.FileInfo, error) {
	st, err := os.Stat(path)
	if err != nil {
		if !errors.Is(readError(err), objstore.ErrNotFound) {
			return nil, err
		}
		st = nil
	}
	switch {
	case st != nil && st.IsDir():
		return nil, refineDirError(syscall.EISDIR, path)
	case cond.IfAbsent && st != nil:
		return nil, fmt.Errorf("%w: it exists", objstore.ErrConflict)
	case cond.IfMatch != "" && st == nil:
		return nil, fmt.Errorf("%w: it is absent", objstore.ErrConflict)
	case cond.IfMatch != "" && cond.IfMatch != etag(st):
		return nil, fmt.Errorf("%w: its ETag is %s", objstore.ErrConflict, etag(st))
	}
	return st, nil
}

// createTemp makes a file that only we write, under a lock which tells that from an orphan.
func (s *Store) createTemp() (*os.File, error) {
	dir := filepath.Join(s.root, reserved, "tmp")
	for try := 0; ; try++ {
		name := filepath.Join(dir, fmt.Sprintf("put-%d-%016x", os.Getpid(), rand.Uint64()))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrNotExist) && try == 0 {
			if err := makeDirs(dir); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, err := tryLock(f); err != nil {
			_, _ = f.Close(), os.Remove(name)
			return nil, err
		}
		return f, nil
	}
}

// fill copies, hashes and syncs the body. A large one is written out while it is copied, and leaves
// the page cache: the hot log still holds those bytes, and what else is cached is worth more.
func fill(ctx context.Context, f *os.File, body objstore.Body) error {
	buf := copyBuffers.Get().(*[copyBytes]byte)
	defer copyBuffers.Put(buf)
	var crc uint32
	for at := int64(0); at < body.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(min(body.Size-at, copyBytes))
		if got, err := body.Reader.ReadAt(buf[:n], at); got < n {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read body at %d: %w", at, err)
		}
		crc = crc32.Update(crc, castagnoli, buf[:n])
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		at += int64(n)
		if body.Size >= largeBytes && at%windowBytes == 0 {
			writeBehind(f, at-windowBytes, windowBytes)
		}
	}
	if body.HasCRC32C && crc != body.CRC32C {
		return fmt.Errorf("%w: body has %08x, caller said %08x", objstore.ErrChecksum, crc, body.CRC32C)
	}
	saveChecksum(f, crc)
	now := time.Now() // the kernel's own stamp may be milliseconds coarse
	if err := os.Chtimes(f.Name(), now, now); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if body.Size >= largeBytes {
		forget(f)
	}
	return nil
}

// makeDirs creates dir and its missing parents durably.
func makeDirs(dir string) error {
	err := os.Mkdir(dir, dirMode)
	switch {
	case err == nil:
		return syncDir(filepath.Dir(dir))
	case errors.Is(err, fs.ErrExist):
		st, serr := os.Stat(dir)
		if serr == nil && !st.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
		return err
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // pruned again by a Delete; the caller's rename finds out and comes back
		}
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // emptied and removed by a later Delete
	}
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// removeOrphans deletes temporary files that nobody holds.
func (s *Store) removeOrphans() {
	dir := filepath.Join(s.root, reserved, "tmp")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || time.Since(st.ModTime()) < orphanAge {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if free, err := tryLock(f); err == nil && free {
			_ = os.Remove(f.Name())
		}
		_ = f.Close()
	}
}
