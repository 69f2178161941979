package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// Store is a bucket in memory. Make one with New or Named.
type Store struct {
	name string

	mu   sync.RWMutex
	keys []string // sorted
	objs map[string]object
	seq  uint64 // of the last write; makes ETags unique
}

type object struct {
	data []byte
	info objstore.Info
}

var _ objstore.Store = (*Store)(nil)

var named = struct {
	sync.Mutex
	stores map[string]*Store
}{stores: map[string]*Store{}}

// New makes an empty bucket that nobody else sees.
func New() *Store {
	return &Store{name: "anonymous", objs: map[string]object{}}
}

// Named gives this process's bucket of that name, empty at first.
func Named(name string) *Store {
	named.Lock()
	defer named.Unlock()
	s, ok := named.stores[name]
	if !ok {
		s = New()
		s.name = name
		named.stores[name] = s
	}
	return s
}

// Put implements objstore.Store. A checksum that does not fit the bytes is ErrChecksum.
func (s *Store) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	if err := precheck(ctx, key, cond); err != nil {
		return objstore.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	data := make([]byte, body.Size)
	if _, err := io.ReadFull(io.NewSectionReader(body.Reader, 0, body.Size), data); err != nil {
		return objstore.Info{}, fmt.Errorf("put %s: read body: %w", key, err)
	}
	crc := objstore.Checksum(data)
	if body.HasCRC32C && crc != body.CRC32C {
		return objstore.Info{}, fmt.Errorf("put %s: %w", key, objstore.ErrChecksum)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	old, exists := s.objs[key]
	if cond.IfAbsent && exists || cond.IfMatch != "" && cond.IfMatch != old.info.ETag {
		return objstore.Info{}, fmt.Errorf("put %s: %w", key, objstore.ErrConflict)
	}
	s.seq++
	info := objstore.Info{
		Key: key, Size: body.Size, ETag: fmt.Sprintf("%08x-%x", crc, s.seq),
		LastModified: time.Now(), CRC32C: crc, HasCRC32C: true,
	}
	if !exists {
		at, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Insert(s.keys, at, key)
	}
	s.objs[key] = object{data: data, info: info}
	return info, nil
}

// Get implements objstore.Store. The reader sees the object as it was when Get returned.
func (s *Store) Get(
	ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	o, err := s.find(ctx, key)
	if err != nil {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	offset, length, err := r.Resolve(o.info.Size)
	if err != nil {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	return io.NopCloser(bytes.NewReader(o.data[offset : offset+length])), o.info, nil
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	o, err := s.find(ctx, key)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("head %s: %w", key, err)
	}
	return o.info, nil
}

// List implements objstore.Store.
func (s *Store) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	if err := ctx.Err(); err != nil {
		return objstore.Page{}, fmt.Errorf("list %s: %w", prefix, err)
	}
	limit = objstore.ListLimit(limit)
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, _ := slices.BinarySearch(s.keys, prefix)
	if after >= prefix {
		var found bool
		if at, found = slices.BinarySearch(s.keys, after); found {
			at++
		}
	}
	var page objstore.Page
	for _, key := range s.keys[at:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if len(page.Objects) == limit {
			page.More = true
			break
		}
		page.Objects = append(page.Objects, s.objs[key].info)
	}
	return page, nil
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := precheck(ctx, key, objstore.Condition{}); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := slices.BinarySearch(s.keys, key); found {
		s.keys = slices.Delete(s.keys, at, at+1)
		delete(s.objs, key)
	}
	return nil
}

// URL implements objstore.Store.
func (s *Store) URL() string { return "mem://" + s.name }

// Close implements objstore.Store; the objects stay for others who hold the name.
func (s *Store) Close() error { return nil }

func (s *Store) find(ctx context.Context, key string) (object, error) {
	if err := precheck(ctx, key, objstore.Condition{}); err != nil {
		return object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objs[key]
	if !ok {
		return object{}, objstore.ErrNotFound
	}
	return o, nil
}

func precheck(ctx context.Context, key string, cond objstore.Condition) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := objstore.CheckKey(key); err != nil {
		return err
	}
	return cond.Check()
}
