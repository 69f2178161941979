package objstoretest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"golang.org/x/sync/errgroup"
)

func testPutGetHead(t *testing.T, e env) {
	for _, size := range []int64{0, 1, 1000, 1<<20 + 3} {
		data, key := pattern(size), "dir/object"
		info := e.put(t, key, data)
		if info.ETag == "" || info.Size != size || info.Key != key {
			t.Fatalf("Put told %+v, want key, size %d and an ETag", info, size)
		}
		e.wantContent(t, key, data)
		head, err := e.Head(e.ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if head.ETag != info.ETag || head.Size != size || head.Key != key || head.LastModified.IsZero() {
			t.Fatalf("Head told %+v after Put told %+v", head, info)
		}
		rc, got, err := e.Get(e.ctx, key, objstore.Range{})
		if err != nil {
			t.Fatal(err)
		}
		_ = rc.Close()
		if got.ETag != info.ETag || got.Size != size {
			t.Fatalf("Get told %+v after Put told %+v", got, info)
		}
	}
}

func testAbsent(t *testing.T, e env) {
	e.put(t, "a/b", nil)
	for _, key := range []string{"absent", "a", "a/b/c", "a/c"} {
		_, _, err := e.Get(e.ctx, key, objstore.Range{})
		wantErr(t, "Get "+key, err, objstore.ErrNotFound)
		_, err = e.Head(e.ctx, key)
		wantErr(t, "Head "+key, err, objstore.ErrNotFound)
		if err := e.Delete(e.ctx, key); err != nil {
			t.Fatalf("Delete of absent %s: %v", key, err)
		}
	}
	e.wantContent(t, "a/b", nil)
}

func testOverwriteAndDelete(t *testing.T, e env) {
	first := e.put(t, "k", []byte("first"))
	second := e.put(t, "k", []byte("the second"))
	if first.ETag == second.ETag {
		t.Fatalf("two contents share the ETag %s", first.ETag)
	}
	e.wantContent(t, "k", []byte("the second"))
	if err := e.Delete(e.ctx, "k"); err != nil {
		t.Fatal(err)
	}
	_, err := e.Head(e.ctx, "k")
	wantErr(t, "Head after Delete", err, objstore.ErrNotFound)
	e.put(t, "k", []byte("third"))
	e.wantContent(t, "k", []byte("third"))
}

func testRanges(t *testing.T, e env) {
	data := pattern(1000)
	e.put(t, "k", data)
	e.put(t, "empty", nil)
	tests := []struct {
		r          objstore.Range
		from, till int
	}{
		{objstore.Range{}, 0, 1000},
		{objstore.Range{Offset: 10, Length: 5}, 10, 15},
		{objstore.Range{Offset: 0, Length: 1}, 0, 1},
		{objstore.Range{Offset: 999, Length: 1}, 999, 1000},
		{objstore.Range{Offset: 990, Length: 100}, 990, 1000},
		{objstore.Range{Offset: 0, Length: 5000}, 0, 1000},
		{objstore.Range{Offset: 400}, 400, 1000},
		{objstore.Range{Offset: -1}, 999, 1000},
		{objstore.Range{Offset: -100}, 900, 1000},
		{objstore.Range{Offset: -5000}, 0, 1000},
	}
	for _, tt := range tests {
		rc, info, err := e.Get(e.ctx, "k", tt.r)
		if err != nil {
			t.Fatalf("Get %+v: %v", tt.r, err)
		}
		got, err := io.ReadAll(rc)
		_ = rc.Close()
		if err != nil || !bytes.Equal(got, data[tt.from:tt.till]) {
			t.Fatalf("Get %+v: %d bytes, %v; want [%d, %d)", tt.r, len(got), err, tt.from, tt.till)
		}
		if info.Size != 1000 {
			t.Fatalf("Get %+v told size %d of the object, want 1000", tt.r, info.Size)
		}
	}
	for _, r := range []objstore.Range{
		{Offset: 1000},
		{Offset: 1000, Length: 1},
		{Offset: 5000, Length: 10},
		{Offset: -3, Length: 1},
		{Offset: 1, Length: -1},
	} {
		_, _, err := e.Get(e.ctx, "k", r)
		wantErr(t, "Get of a range outside", err, objstore.ErrInvalidRange)
	}
	_, _, err := e.Get(e.ctx, "empty", objstore.Range{Offset: 0, Length: 10})
	wantErr(t, "Get of a range of an empty object", err, objstore.ErrInvalidRange)
}

func testParallelRanges(t *testing.T, e env) {
	const size, part = 4 << 20, 256 << 10
	data := pattern(size)
	e.put(t, "large", data)
	got := make([]byte, size)
	var g errgroup.Group
	g.SetLimit(8)
	for off := int64(0); off < size; off += part {
		g.Go(func() error {
			rc, _, err := e.Get(e.ctx, "large", objstore.Range{Offset: off, Length: part})
			if err != nil {
				return err
			}
			_, err = io.ReadFull(rc, got[off:off+part])
			return errors.Join(err, rc.Close())
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatal("the parts do not make up the object")
	}
}

func testChecksum(t *testing.T, e env) {
	if e.suite.NoChecksums {
		t.Skip("this store keeps no checksums")
	}
	body := objstore.Bytes(pattern(5000))
	if _, err := e.Put(e.ctx, "good", body, objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	head, err := e.Head(e.ctx, "good")
	if err != nil {
		t.Fatal(err)
	}
	if !head.HasCRC32C || head.CRC32C != body.CRC32C {
		t.Fatalf("Head told checksum %08x (%v), want %08x", head.CRC32C, head.HasCRC32C, body.CRC32C)
	}
	body.CRC32C++
	_, err = e.Put(e.ctx, "bad", body, objstore.Condition{})
	wantErr(t, "Put under a wrong checksum", err, objstore.ErrChecksum)
	_, err = e.Head(e.ctx, "bad")
	wantErr(t, "Head of what was refused", err, objstore.ErrNotFound)
}

func testShortBody(t *testing.T, e env) {
	whole := pattern(200_000)
	short := objstore.Bytes(whole[:100_000])
	short.Size, short.CRC32C = int64(len(whole)), objstore.Checksum(whole)
	for _, short.HasCRC32C = range []bool{true, false} {
		if _, err := e.Put(e.ctx, "k", short, objstore.Condition{}); err == nil {
			t.Fatal("Put of a body with fewer bytes than it said succeeded")
		}
		_, err := e.Head(e.ctx, "k")
		wantErr(t, "Head of half an object", err, objstore.ErrNotFound)
	}
}

func testInvalidKeys(t *testing.T, e env) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\x00b", "a\\b", "\xff",
		string(make([]byte, objstore.KeyBytesMax+1)),
	} {
		_, err := e.Put(e.ctx, key, objstore.Bytes(nil), objstore.Condition{})
		wantErr(t, "Put", err, objstore.ErrInvalidKey)
		_, _, err = e.Get(e.ctx, key, objstore.Range{})
		wantErr(t, "Get", err, objstore.ErrInvalidKey)
		_, err = e.Head(e.ctx, key)
		wantErr(t, "Head", err, objstore.ErrInvalidKey)
		wantErr(t, "Delete", e.Delete(e.ctx, key), objstore.ErrInvalidKey)
	}
}

func testCancelled(t *testing.T, e env) {
	e.put(t, "k", []byte("x"))
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := e.Put(ctx, "other", objstore.Bytes([]byte("y")), objstore.Condition{IfAbsent: true})
	wantErr(t, "Put", err, context.Canceled)
	_, _, err = e.Get(ctx, "k", objstore.Range{})
	wantErr(t, "Get", err, context.Canceled)
	_, err = e.List(ctx, "", "", 10)
	wantErr(t, "List", err, context.Canceled)
	wantErr(t, "Delete", e.Delete(ctx, "k"), context.Canceled)
	e.wantContent(t, "k", []byte("x"))
}

func testMultipart(t *testing.T, e env) {
	size := e.suite.MultipartBytes
	if size == 0 {
		t.Skip("this store puts objects of any size at once")
	}
	for _, size := range []int64{size, size*2 + 12345} {
		key, data := "large", pattern(size)
		info := e.put(t, key, data)
		if info.Size != size {
			t.Fatalf("Put told size %d, want %d", info.Size, size)
		}
		e.wantContent(t, key, data)
		tail := e.read(t, key, objstore.Range{Offset: -1000})
		if !bytes.Equal(tail, data[size-1000:]) {
			t.Fatal("the tail of a multipart object is wrong")
		}
		head, err := e.Head(e.ctx, key)
		if err != nil || head.Size != size || head.ETag != info.ETag {
			t.Fatalf("Head told %+v, %v after Put told %+v", head, err, info)
		}
		if !e.suite.NoPartChecksums && head.HasCRC32C && head.CRC32C != objstore.Checksum(data) {
			t.Fatalf("Head told checksum %08x, want %08x", head.CRC32C, objstore.Checksum(data))
		}
		_, err = e.Put(e.ctx, key, objstore.Bytes(data), objstore.Condition{IfAbsent: true})
		wantErr(t, "multipart create-if-absent of what exists", err, objstore.ErrConflict)
		if err := e.Delete(e.ctx, key); err != nil {
			t.Fatal(err)
		}
		_, err = e.Put(e.ctx, key, objstore.Bytes(data), objstore.Condition{IfAbsent: true})
		if err != nil {
			t.Fatalf("multipart create-if-absent: %v", err)
		}
	}
}

func testProbeAndClock(t *testing.T, e env) {
	if err := objstore.Probe(e.ctx, e.Store); err != nil {
		t.Fatalf("Probe: %v", err)
	}
	now, err := objstore.StoreNow(e.ctx, e.Store)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(now).Abs(); d > time.Minute {
		t.Fatalf("the store's clock is %v off on one machine", d)
	}
	page, err := e.List(e.ctx, "", "", 10)
	if err != nil || len(page.Objects) != 0 {
		t.Fatalf("probe and clock left %+v, %v behind", page, err)
	}
}
