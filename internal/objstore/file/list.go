package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/varve-log/varve/internal/objstore"
)

const readDirBatch = 512

// List implements objstore.Store. It walks in key order and enters only directories that can hold
// keys of the answer. Memory is bounded by the limit times the depth, however large a directory is;
// a directory of n entries costs n name reads for each page that touches it.
func (s *Store) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	limit = objstore.ListLimit(limit)
	w := walk{ctx: ctx, root: s.root, prefix: prefix, after: after, want: limit + 1}
	if err := w.dir(prefix[:strings.LastIndexByte(prefix, '/')+1]); err != nil {
		return objstore.Page{}, fmt.Errorf("list %s: %w", prefix, err)
	}
	page := objstore.Page{Objects: w.found}
	if len(page.Objects) > limit {
		page.Objects, page.More = page.Objects[:limit], true
	}
	return page, nil
}

// walk collects the first `want` keys with the prefix that sort after `after`.
type walk struct {
	ctx           context.Context
	root          string
	prefix, after string
	want          int
	found         []objstore.Info
}

// dir walks the directory of the key prefix dirKey, which is empty or ends in a slash.
func (w *walk) dir(dirKey string) error {
	if dirKey != "" && !fs.ValidPath(strings.TrimSuffix(dirKey, "/")) {
		return nil // no valid key begins so
	}
	for last := ""; ; {
		names, more, err := w.smallest(dirKey, last)
		if err != nil {
			return err
		}
		for _, name := range names {
			if len(w.found) >= w.want {
				return nil
			}
			if err := w.entry(dirKey + name); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		last = names[len(names)-1]
	}
}

func (w *walk) entry(key string) error {
	if strings.HasSuffix(key, "/") {
		return w.dir(key)
	}
	st, err := os.Lstat(filepath.Join(w.root, filepath.FromSlash(key)))
	if errors.Is(readError(err), objstore.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	w.found = append(w.found, statInfo(st, key))
	return nil
}

// smallest gives, sorted, the first entries of a directory that sort after `last` and may hold keys
// of the answer; directories end in a slash, since that is how their keys sort.
func (w *walk) smallest(dirKey, last string) (names []string, more bool, err error) {
	d, err := os.Open(filepath.Join(w.root, filepath.FromSlash(dirKey)))
	if err != nil {
		if errors.Is(readError(err), objstore.ErrNotFound) {
			return nil, false, nil
		}
		return nil, false, err
	}
	defer func() { _ = d.Close() }()
	keep := w.want
	for {
		if err := w.ctx.Err(); err != nil {
			return nil, false, err
		}
		entries, err := d.ReadDir(readDirBatch)
		for _, e := range entries {
			if name, ok := w.candidate(dirKey, e); ok && name > last {
				names = append(names, name)
			}
		}
		if len(names) >= 2*keep+readDirBatch {
			slices.Sort(names)
			names, more = names[:keep], true
		}
		if errors.Is(err, io.EOF) || errors.Is(readError(err), objstore.ErrNotFound) {
			break // a directory that a Delete removed meanwhile has no more entries
		}
		if err != nil {
			return nil, false, err
		}
	}
	slices.Sort(names)
	if len(names) > keep {
		names, more = names[:keep], true
	}
	return names, more, nil
}

// candidate tells whether an entry is or may hold a key of the answer.
func (w *walk) candidate(dirKey string, e fs.DirEntry) (name string, ok bool) {
	name = e.Name()
	switch {
	case dirKey == "" && name == reserved:
		return "", false
	case e.IsDir():
		name += "/"
		key := dirKey + name
		inPrefix := strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)
		return name, inPrefix && (key > w.after || strings.HasPrefix(w.after, key))
	case e.Type().IsRegular():
		key := dirKey + name
		return name, strings.HasPrefix(key, w.prefix) && key > w.after
	default:
		return "", false
	}
}
