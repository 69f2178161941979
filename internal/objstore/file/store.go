package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/varve-log/varve/internal/objstore"
)

const (
	reserved = ".varve" // first component of our own files
	dirMode  = 0o755
	fileMode = 0o644
)

// Store is a bucket in a directory. Make one with Open.
type Store struct {
	root  string
	locks *lockSet
}

var _ objstore.Store = (*Store)(nil)

// Open opens the store in directory root, which need not exist yet: the first Put creates it. What
// crashed uploads left behind is removed.
func Open(root string) (*Store, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open file store %s: %w", root, err)
	}
	st, err := os.Stat(abs)
	switch {
	case err == nil && !st.IsDir():
		return nil, fmt.Errorf("open file store %s: it is a file; name a directory", abs)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open file store: %w; check the path and its permissions", err)
	}
	s := &Store{root: abs, locks: newLockSet(filepath.Join(abs, reserved, "locks"))}
	s.removeOrphans()
	return s, nil
}

// Get implements objstore.Store. The reader goes straight to the file, with one pread per Read, and
// sees the object as it was when Get returned.
func (s *Store) Get(
	ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, readError(err))
	}
	info, err := openInfo(f, key)
	var offset, length int64
	if err == nil {
		offset, length, err = r.Resolve(info.Size)
	}
	if err != nil {
		_ = f.Close()
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	return &reader{f: f, at: offset, end: offset + length}, info, nil
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("head %s: %w", key, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("head %s: %w", key, readError(err))
	}
	defer func() { _ = f.Close() }()
	info, err := openInfo(f, key)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("head %s: %w", key, err)
	}
	return info, nil
}

// Delete implements objstore.Store. Directories that become empty go too.
func (s *Store) Delete(ctx context.Context, key string) error {
	path, err := s.path(ctx, key)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	if _, err := os.Lstat(path); errors.Is(readError(err), objstore.ErrNotFound) {
		return nil
	}
	unlock, err := s.locks.lock(ctx, key)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	defer unlock()
	// unlink, not os.Remove, which would take an empty directory for an object
	if err := syscall.Unlink(path); err != nil {
		st, serr := os.Lstat(path)
		if errors.Is(readError(err), objstore.ErrNotFound) || serr == nil && st.IsDir() {
			return nil
		}
		return fmt.Errorf("delete %s: %w", key, err)
	}
	s.pruneEmpty(filepath.Dir(path))
	return nil
}

// URL implements objstore.Store.
func (s *Store) URL() string { return "file://" + filepath.ToSlash(s.root) }

// Close implements objstore.Store.
func (s *Store) Close() error { return s.locks.close() }

// path maps a key to its file, refusing keys that are not plain paths under the root.
func (s *Store) path(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := objstore.CheckKey(key); err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(key, "/")
	local := filepath.FromSlash(key)
	if first == reserved || !filepath.IsLocal(local) {
		return "", fmt.Errorf("%w: %q is reserved", objstore.ErrInvalidKey, key)
	}
	return filepath.Join(s.root, local), nil
}

// pruneEmpty removes dir and its parents up to the root, as far as they are empty. A Put that was
// about to rename into one of them makes it again.
func (s *Store) pruneEmpty(dir string) {
	for dir != s.root && strings.HasPrefix(dir, s.root) {
		if err := syscall.Rmdir(dir); err != nil {
			return
		}
		dir = filepath.Dir(dir)
	}
}

// readError gives what stands for "no such object" its class: also a path through a file, or too
// long.
func readError(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, syscall.ENAMETOOLONG) {
		return fmt.Errorf("%w (%w)", objstore.ErrNotFound, err)
	}
	return err
}

// openInfo describes an open object; a directory is ErrNotFound.
func openInfo(f *os.File, key string) (objstore.Info, error) {
	st, err := f.Stat()
	if err != nil {
		return objstore.Info{}, err
	}
	if st.IsDir() {
		return objstore.Info{}, objstore.ErrNotFound
	}
	info := statInfo(st, key)
	info.CRC32C, info.HasCRC32C = loadChecksum(f)
	return info, nil
}

func statInfo(st fs.FileInfo, key string) objstore.Info {
	return objstore.Info{Key: key, Size: st.Size(), ETag: etag(st), LastModified: st.ModTime()}
}

func etag(st fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", inode(st), st.Size(), st.ModTime().UnixNano())
}

// reader gives [at, end) of an open object.
type reader struct {
	f       *os.File
	at, end int64
}

// Read implements io.Reader; a file that was cut short meanwhile is io.ErrUnexpectedEOF.
func (r *reader) Read(p []byte) (int, error) {
	if r.at >= r.end {
		return 0, io.EOF
	}
	if rest := r.end - r.at; int64(len(p)) > rest {
		p = p[:rest]
	}
	n, err := r.f.ReadAt(p, r.at)
	r.at += int64(n)
	if err == io.EOF {
		err = nil
		if r.at < r.end {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.f.Close() }
