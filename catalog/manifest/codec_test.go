package manifest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/kafka"
)

var writeGolden = flag.Bool("write-golden", false,
	"write golden files that do not exist; existing ones are never rewritten")

// goldenHead uses every field of a head, goldenPages are the pages it refers to.
func goldenHead(t *testing.T) (Head, []Page) {
	h := New(testTP, "flights")
	limits := Limits{
		TailMax: 3, TailSpill: 2, PageEntries: 2, PagesMax: 2, PagesSpill: 1, IndexRefs: 2,
	}
	pages := map[string]Page{}
	var order []Page
	n := 0
	for i := range kafka.Offset(14) {
		epoch := kafka.LeaderEpoch(1 + i/6)
		e := testEntry(10*i, 10*i+10, fmt.Sprintf("%024x", int64(i)))
		e.LeaderEpoch = epoch
		e.MinTimestamp, e.MaxTimestamp = kafka.Timestamp(1000*i), kafka.Timestamp(1000*i+999)
		var err error
		h, err = h.AddSegment(Segment{
			Entry: e, Epochs: []kafka.EpochStart{{Epoch: epoch, StartOffset: e.BaseOffset}},
		}, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if h, err = h.Verify(e.NextOffset, epoch); err != nil {
			t.Fatal(err)
		}
		var made []NewPage
		if _, due := h.SpillNeeds(limits); due {
			h, made = h.Spill(limits, pages, epoch, time.UnixMilli(77), func() string {
				n++
				return fmt.Sprintf("p%d", n)
			})
		}
		for _, p := range made {
			pages[p.Page.UID] = p.Page
			order = append(order, p.Page)
		}
	}
	h, err := h.MoveLogStart(15, 3, time.UnixMilli(123456))
	if err != nil {
		t.Fatal(err)
	}
	h, _, err = h.DropExpired(10, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Indexes) == 0 || len(h.Pages) == 0 || len(h.Tail) == 0 || len(h.Retired) == 0 {
		t.Fatalf("the golden head has an empty list: %+v", h)
	}
	return h, order
}

// TestGoldenFiles holds the decoders to the bytes that the first release wrote.
func TestGoldenFiles(t *testing.T) {
	h, pages := goldenHead(t)
	raw, err := EncodeHead(h)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeHead(golden(t, "head-1.json", raw))
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Fatalf("golden head reads as %+v, %v", got, err)
	}
	named, err := h.NameLedger(checkpoint.Ref{Agent: 1, Number: 2}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = EncodeHead(named); err != nil {
		t.Fatal(err)
	}
	got, err = DecodeHead(golden(t, "head-1-ledger.json", raw))
	if err != nil || !reflect.DeepEqual(got, named) || got.MinWriter() != 2 || h.MinWriter() != 1 {
		t.Fatalf("golden head with a ledger reads as %+v, %v", got, err)
	}
	for i, p := range []Page{pages[0], pages[len(pages)-1]} {
		raw, err := EncodePage(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodePage(golden(t, fmt.Sprintf("page-1-%d.json.gz", i), raw))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("golden page reads as %+v, %v", got, err)
		}
	}
}

func golden(t *testing.T, name string, now []byte) []byte {
	path := filepath.Join("testdata", "golden", name)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *writeGolden {
		if err := os.WriteFile(path, now, 0o644); err != nil {
			t.Fatal(err)
		}
		return now
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestDecodersRefuseNewerFormats(t *testing.T) {
	if _, err := DecodeHead([]byte(`{"format":2}`)); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
	if _, err := DecodeHead([]byte(`{}`)); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func TestKeysAreParsedBackAndNothingElseIs(t *testing.T) {
	n := SegmentName{TP: testTP, BaseOffset: 12345, LeaderEpoch: 7, UID: "0ab"}
	const want = "segments/16/ab010000000000000000000000000000/3/00000000000000012345-7-0ab"
	if key := n.Key(); key != want {
		t.Errorf("segment key %s", key)
	}
	if got, ok := ParseSegmentKey(n.Key()); !ok || got != n {
		t.Errorf("parsed %+v, %v", got, ok)
	}
	page := PageName{TP: testTP, LeaderEpoch: 7, UID: "0ab"}
	if tp, got, ok := ParseManifestKey(page.Key()); !ok || tp != testTP || *got != page {
		t.Errorf("parsed %+v, %v", got, ok)
	}
	if tp, got, ok := ParseManifestKey(HeadKey(testTP)); !ok || tp != testTP || got != nil {
		t.Errorf("parsed %+v, %v", got, ok)
	}
	for _, key := range []string{
		"", "segments/", "segments/17/ab010000000000000000000000000000/3/00000000000000012345-7-0ab",
		"segments/16/ab010000000000000000000000000000/3/12345-7-0ab",
		"segments/16/ab010000000000000000000000000000/3/00000000000000012345-07-0ab",
		"segments/16/ab010000000000000000000000000000/3/00000000000000012345-7-",
		"segments/16/AB010000000000000000000000000000/3/00000000000000012345-7-0ab",
		"manifests/ab010000000000000000000000000000/3/pages/x",
		"manifests/ab010000000000000000000000000000/head",
		"manifests/ab010000000000000000000000000000/03/head",
	} {
		if _, ok := ParseSegmentKey(key); ok {
			t.Errorf("%q is a segment", key)
		}
		if _, _, ok := ParseManifestKey(key); ok {
			t.Errorf("%q is a manifest", key)
		}
	}
}

func FuzzDecodeHead(f *testing.F) {
	raw, err := os.ReadFile("testdata/golden/head-1.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := DecodeHead(raw)
		if err != nil {
			return
		}
		again, err := EncodeHead(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeHead(again); err != nil {
			t.Fatalf("%v in %s", err, again)
		}
		// Whatever is accepted can be edited without a panic and stays valid.
		next, err := h.MoveLogStart(h.LogStartOffset+1, h.FenceEpoch, time.UnixMilli(1))
		if err == nil && h.LogStartOffset+1 > 0 && next.Validate() != nil {
			t.Fatal(next.Validate())
		}
		h.SpillNeeds(DefaultLimits())
		h.EpochEnd(h.FenceEpoch)
	})
}

func FuzzDecodePage(f *testing.F) {
	for _, name := range []string{"page-1-0.json.gz", "page-1-1.json.gz"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "golden", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		r, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			f.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain) // which mutates further than what gzip protects
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 0 && raw[0] == '{' {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			_, _ = w.Write(raw)
			_ = w.Close()
			raw = out.Bytes()
		}
		p, err := DecodePage(raw)
		if err != nil {
			return
		}
		again, err := EncodePage(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodePage(again); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(SegmentName{TP: testTP, BaseOffset: 5, LeaderEpoch: 7, UID: "0ab"}.Key())
	f.Add(HeadKey(testTP))
	f.Add(PageName{TP: testTP, LeaderEpoch: 7, UID: "0ab"}.Key())
	f.Fuzz(func(t *testing.T, key string) {
		if n, ok := ParseSegmentKey(key); ok && n.Key() != key {
			t.Fatalf("%q became %q", key, n.Key())
		}
		if tp, page, ok := ParseManifestKey(key); ok && page == nil && HeadKey(tp) != key {
			t.Fatalf("%q became %q", key, HeadKey(tp))
		} else if ok && page != nil && page.Key() != key {
			t.Fatalf("%q became %q", key, page.Key())
		}
	})
}

func TestEncodePageIsDeterministic(t *testing.T) {
	_, pages := goldenHead(t)
	a, _ := EncodePage(pages[0])
	b, _ := EncodePage(pages[0])
	if !bytes.Equal(a, b) {
		t.Fatal("the same page gave other bytes")
	}
}
