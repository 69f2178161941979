package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
)

func TestRangeHeader(t *testing.T) {
	for header, r := range map[string]objstore.Range{
		"":            {},
		"bytes=0-9":   {Length: 10},
		"bytes=5-9":   {Offset: 5, Length: 5},
		"bytes=5-":    {Offset: 5},
		"bytes=-1000": {Offset: -1000},
	} {
		if got := r.Header(); got != header {
			t.Errorf("%+v is %q, want %q", r, got, header)
		}
	}
}

func FuzzRangeResolve(f *testing.F) {
	f.Add(int64(0), int64(0), int64(10))
	f.Add(int64(-3), int64(0), int64(2))
	f.Add(int64(9), int64(1<<62), int64(10))
	f.Add(int64(-1<<63), int64(0), int64(10))
	f.Fuzz(func(t *testing.T, offset, length, size int64) {
		if size < 0 {
			return
		}
		r := objstore.Range{Offset: offset, Length: length}
		from, n, err := r.Resolve(size)
		switch {
		case err != nil && !errors.Is(err, objstore.ErrInvalidRange):
			t.Fatalf("%+v of %d: %v", r, size, err)
		case err == nil && (from < 0 || n < 0 || from+n > size):
			t.Fatalf("%+v of %d is [%d, %d)", r, size, from, from+n)
		case err == nil && n == 0 && r != (objstore.Range{}):
			t.Fatalf("%+v of %d is empty", r, size)
		}
	})
}

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"a/b", "", "..", "a/../b", "/a", "a//b", "a\\b", "\x00", "é/ü"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if objstore.CheckKey(key) != nil {
			return
		}
		if path.Clean(key) != key || strings.HasPrefix(key, "/") || strings.HasPrefix(key, "..") &&
			(key == ".." || strings.HasPrefix(key, "../")) {
			t.Fatalf("%q passed", key)
		}
	})
}

func TestReadAll(t *testing.T) {
	s := faulty.New(mem.New())
	body := objstore.Bytes([]byte("0123456789"))
	if _, err := s.Put(t.Context(), "k", body, objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	if b, info, err := objstore.ReadAll(t.Context(), s, "k", 10); err != nil ||
		!bytes.Equal(b, []byte("0123456789")) || info.ETag == "" {
		t.Errorf("ReadAll gave %q, %+v, %v", b, info, err)
	}
	if _, _, err := objstore.ReadAll(t.Context(), s, "k", 9); err == nil {
		t.Error("ReadAll gave more than its limit")
	}
	s.Add(faulty.Rule{Op: faulty.Get, Fault: faulty.Truncated})
	_, _, err := objstore.ReadAll(t.Context(), s, "k", 10)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadAll of a truncated body gave %v", err)
	}
	_, _, err = objstore.ReadAll(t.Context(), s, "absent", 10)
	if !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("ReadAll of an absent key gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := objstore.StoreNow(ctx, mem.New()); !errors.Is(err, context.Canceled) {
		t.Errorf("StoreNow under a cancelled context gave %v", err)
	}
}
