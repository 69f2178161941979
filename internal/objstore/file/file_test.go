package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/file"
)

func put(t *testing.T, s *file.Store, key string, data []byte) objstore.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, objstore.Bytes(data), objstore.Condition{})
	if err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
	return info
}

func TestObjectsArePlainFiles(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	put(t, s, "segments/0a/t/0/x", []byte("exactly these bytes"))
	b, err := os.ReadFile(filepath.Join(root, "segments/0a/t/0/x"))
	if err != nil || string(b) != "exactly these bytes" {
		t.Fatalf("the file holds %q, %v", b, err)
	}
	if err := s.Delete(t.Context(), "segments/0a/t/0/x"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "segments")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directories stay: %v", err)
	}
}

func TestOpenMakesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "not", "there")
	s := open(t, root)
	if page, err := s.List(t.Context(), "", "", 10); err != nil || len(page.Objects) != 0 {
		t.Errorf("List gave %+v, %v", page, err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening and listing made the directory: %v", err)
	}
	put(t, s, "k", nil)
}

func TestOpenRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Open(path); err == nil || !strings.Contains(err.Error(), "name a directory") {
		t.Errorf("opening a file gave %v", err)
	}
}

func TestReservedAndNestedKeys(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/b", nil)
	for _, key := range []string{".varve", ".varve/tmp/x", "a", "a/b/c"} {
		_, err := s.Put(t.Context(), key, objstore.Bytes(nil), objstore.Condition{})
		if !errors.Is(err, objstore.ErrInvalidKey) {
			t.Errorf("Put(%s) gave %v", key, err)
		}
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Errorf("Delete of a directory's key gave %v", err)
	}
	page, err := s.List(t.Context(), "", "", 10)
	if err != nil || len(page.Objects) != 1 || page.Objects[0].Key != "a/b" {
		t.Errorf("List gave %+v, %v", page, err)
	}
}

// TestETagNeverRepeats: same content, same size, written as fast as possible, with deletes between
// so that inodes come round again.
func TestETagNeverRepeats(t *testing.T) {
	s := open(t, t.TempDir())
	seen := map[string]bool{}
	for i := range 300 {
		etag := put(t, s, "k", []byte("same")).ETag
		if seen[etag] {
			t.Fatalf("write %d got an ETag for the second time", i)
		}
		seen[etag] = true
		if i%3 == 0 {
			if err := s.Delete(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFailedPutsLeaveNothing(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	put(t, s, "k", []byte("kept"))
	broken := objstore.Body{Reader: failingReader{}, Size: 3 << 20}
	if _, err := s.Put(t.Context(), "k", broken, objstore.Condition{}); !errors.Is(err, errBroken) {
		t.Errorf("Put of an unreadable body gave %v", err)
	}
	wrong := objstore.Bytes([]byte("x"))
	wrong.CRC32C++
	_, err := s.Put(t.Context(), "k", wrong, objstore.Condition{})
	if !errors.Is(err, objstore.ErrChecksum) {
		t.Errorf("Put under a wrong checksum gave %v", err)
	}
	left, err := os.ReadDir(filepath.Join(root, ".varve", "tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("failed puts left %v, %v", left, err)
	}
	b, _, err := objstore.ReadAll(t.Context(), s, "k", 100)
	if err != nil || string(b) != "kept" {
		t.Errorf("the object now holds %q, %v", b, err)
	}
}

var errBroken = errors.New("broken disk")

type failingReader struct{}

func (failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= 1<<20 {
		return 0, errBroken
	}
	return len(p), nil
}

// TestOrphans: an old temporary file goes at the next Open, unless somebody still writes it.
func TestOrphans(t *testing.T) {
	root := t.TempDir()
	tmp := filepath.Join(root, ".varve", "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"crashed", "writing", "young"} {
		path := filepath.Join(tmp, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "young" {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := os.Open(filepath.Join(tmp, "writing"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := open(t, root)
	var left []string
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"writing", "young"}; !slices.Equal(left, want) {
		t.Errorf("Open left %v, want %v", left, want)
	}
	if page, err := s.List(t.Context(), "", "", 10); err != nil || len(page.Objects) != 0 {
		t.Errorf("temporary files are listed: %+v, %v", page, err)
	}
}

func TestTruncatedFileIsNotAShortRead(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	put(t, s, "k", make([]byte, 1000))
	rc, _, err := s.Get(t.Context(), "k", objstore.Range{Offset: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rc.Close() }()
	if err := os.Truncate(filepath.Join(root, "k"), 500); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(rc); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading a file that was cut gave %v", err)
	}
}

// TestReadersOutliveReplacement: a reader keeps the object it opened.
func TestReadersOutliveReplacement(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "k", bytes.Repeat([]byte("1"), 1000))
	rc, _, err := s.Get(t.Context(), "k", objstore.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rc.Close() }()
	put(t, s, "k", bytes.Repeat([]byte("2"), 2000))
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(rc)
	if err != nil || !bytes.Equal(b, bytes.Repeat([]byte("1"), 1000)) {
		t.Errorf("the reader saw %d bytes %.10q, %v", len(b), b, err)
	}
}

// TestPutRacesPrune: puts and deletes in one directory, which comes and goes under them.
func TestPutRacesPrune(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		s := open(t, root)
		wg.Go(func() {
			key := fmt.Sprintf("deep/er/%d", i)
			for range 40 {
				_, err := s.Put(t.Context(), key, objstore.Bytes(nil), objstore.Condition{IfAbsent: true})
				if err != nil {
					t.Errorf("Put: %v", err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestListAgainstModel lists random trees in random pages and compares with sorting all keys.
func TestListAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	s := open(t, t.TempDir())
	var keys []string
	for range 150 {
		parts := make([]string, 1+rng.IntN(4))
		for i := range parts {
			parts[i] = string("-.0ab~"[rng.IntN(6)]) + string("x-!"[rng.IntN(3)])
		}
		key := strings.Join(parts, "/")
		_, err := s.Put(t.Context(), key, objstore.Bytes(nil), objstore.Condition{IfAbsent: true})
		if err == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for range 300 {
		base := keys[rng.IntN(len(keys))]
		prefix := base[:rng.IntN(len(base)+1)]
		after := keys[rng.IntN(len(keys))]
		after = after[:rng.IntN(len(after)+1)]
		limit := 1 + rng.IntN(20)
		var want []string
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) && k > after {
				want = append(want, k)
			}
		}
		more := len(want) > limit
		want = want[:min(limit, len(want))]
		page, err := s.List(t.Context(), prefix, after, limit)
		var got []string
		for _, o := range page.Objects {
			got = append(got, o.Key)
		}
		if err != nil || !slices.Equal(got, want) || page.More != more {
			t.Fatalf("seed %d: List(%q, %q, %d) = %v, %v, %v, want %v, %v",
				seed, prefix, after, limit, got, page.More, err, want, more)
		}
	}
}

// TestListOfALargeDirectory needs several passes over one directory.
func TestListOfALargeDirectory(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const n = 1500
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("%04d", i))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, root)
	got, after := 0, ""
	for more := true; more; {
		page, err := s.List(t.Context(), "", after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			if want := fmt.Sprintf("d/%04d", got); o.Key != want {
				t.Fatalf("key %d is %s, want %s", got, o.Key, want)
			}
			got++
			after = o.Key
		}
		more = page.More
	}
	if got != n {
		t.Errorf("listed %d keys, want %d", got, n)
	}
}

// TestLockWaitEndsWithContext: somebody who stopped while holding a lock does not stop us for ever.
func TestLockWaitEndsWithContext(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	put(t, s, "k", nil)
	locks, err := filepath.Glob(filepath.Join(root, ".varve", "locks", "*"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("lock files: %v, %v", locks, err)
	}
	f, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = s.Put(ctx, "k", objstore.Bytes([]byte("x")), objstore.Condition{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put gave %v", err)
	}
}
