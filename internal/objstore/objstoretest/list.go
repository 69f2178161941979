package objstoretest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/varve-log/varve/internal/objstore"
)

// listKeys sort differently as names in a tree than as keys unless slashes are taken as bytes.
var listKeys = []string{
	"a-b", "a.b", "a/b", "a/b-c", "a/bc/d", "a/c/d/e", "a/c/d/f", "a0", "ab", "b", "b-/x", "b0/y",
	"manifests/t1/0/head", "manifests/t1/0/pages/p1", "manifests/t1/1/head", "manifests/t10/0/head",
}

func (e env) keys(t *testing.T, prefix, after string, limit int) ([]string, bool) {
	t.Helper()
	page, err := e.List(e.ctx, prefix, after, limit)
	if err != nil {
		t.Fatalf("List(%q, %q, %d): %v", prefix, after, limit, err)
	}
	var keys []string
	for _, o := range page.Objects {
		keys = append(keys, o.Key)
	}
	return keys, page.More
}

func testListOrder(t *testing.T, e env) {
	if keys, more := e.keys(t, "", "", 10); len(keys) != 0 || more {
		t.Fatalf("an empty store lists %v, more %v", keys, more)
	}
	for i, key := range slices.Backward(listKeys) {
		e.put(t, key, make([]byte, i))
	}
	page, err := e.List(e.ctx, "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range page.Objects {
		if o.Size != int64(i) || o.LastModified.IsZero() {
			t.Errorf("%s listed with size %d and time %v, want %d", o.Key, o.Size, o.LastModified, i)
		}
	}
	for _, prefix := range []string{
		"", "a", "a/", "a/b", "a/c/", "a/c/d/e", "b", "zzz", "a/c/d/e/", "manifests/t1/", "manifests/t1",
	} {
		got, more := e.keys(t, prefix, "", 1000)
		if want := expect(prefix, ""); !slices.Equal(got, want) || more {
			t.Errorf("prefix %q lists %v, more %v, want %v", prefix, got, more, want)
		}
	}
}

func testListAfter(t *testing.T, e env) {
	for _, key := range listKeys {
		e.put(t, key, nil)
	}
	for _, prefix := range []string{"", "a", "a/", "a/c", "manifests/"} {
		afters := append([]string{"a", "a/", "a/b/", "a/c/d/ee", "a/zz", "aa", "manifests", "~"},
			listKeys...)
		for _, after := range afters {
			got, _ := e.keys(t, prefix, after, 1000)
			if want := expect(prefix, after); !slices.Equal(got, want) {
				t.Errorf("prefix %q after %q lists %v, want %v", prefix, after, got, want)
			}
		}
	}
}

func testListPages(t *testing.T, e env) {
	for _, key := range listKeys {
		e.put(t, key, nil)
	}
	for limit := 1; limit <= len(listKeys)+1; limit++ {
		var all []string
		for after, more := "", true; more; {
			var keys []string
			keys, more = e.keys(t, "", after, limit)
			if len(keys) > limit || more && len(keys) == 0 {
				t.Fatalf("limit %d: a page of %d keys, more %v", limit, len(keys), more)
			}
			all = append(all, keys...)
			if len(keys) > 0 {
				after = keys[len(keys)-1]
			}
		}
		if !slices.Equal(all, listKeys) {
			t.Fatalf("limit %d: pages make up %v", limit, all)
		}
	}
	if err := e.fill("many", 40); err != nil {
		t.Fatal(err)
	}
	if keys, more := e.keys(t, "many/", "", 40); len(keys) != 40 || more {
		t.Fatalf("a page that just fits holds %d keys, more %v", len(keys), more)
	}
}

func (e env) fill(dir string, n int) error {
	for i := range n {
		key := fmt.Sprintf("%s/%03d", dir, i)
		if _, err := e.Put(e.ctx, key, objstore.Bytes(nil), objstore.Condition{}); err != nil {
			return err
		}
	}
	return nil
}

func expect(prefix, after string) []string {
	var want []string
	for _, key := range listKeys {
		if len(key) >= len(prefix) && key[:len(prefix)] == prefix && key > after {
			want = append(want, key)
		}
	}
	return want
}
