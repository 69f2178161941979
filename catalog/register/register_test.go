package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
)

func testConfig() Config {
	c := DefaultConfig()
	c.BackoffMin, c.BackoffMax = time.Microsecond, 10*time.Microsecond
	return c
}

func body(s string) json.RawMessage { return json.RawMessage(fmt.Sprintf("%q", s)) }

func TestSwapReadsWhatItWrote(t *testing.T) {
	r := New(mem.New(), "a/head", testConfig())
	if _, err := r.Read(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Fatalf("read of nothing: %v", err)
	}
	var h Head
	for i := range 3 * RecentMax {
		next, err := r.Swap(t.Context(), h, body(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Version != int64(i+1) || got.CommitID != next.CommitID || got.ETag != next.ETag ||
			string(got.Body) != string(next.Body) || len(got.Recent) != min(i, RecentMax) {
			t.Fatalf("wrote %+v, read %+v", next, got)
		}
		if i > 0 && got.Recent[len(got.Recent)-1] != h.CommitID {
			t.Fatalf("the commit before is not the newest recent one: %v", got.Recent)
		}
		h = got
	}
}

func TestSwapOnAStaleHeadConflicts(t *testing.T) {
	r := New(mem.New(), "head", testConfig())
	first, err := r.Swap(t.Context(), Head{}, body("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Swap(t.Context(), Head{}, body("again")); !errors.Is(err, ErrConflict) {
		t.Fatalf("second creation: %v", err)
	}
	if _, err := r.Swap(t.Context(), first, body("2")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Swap(t.Context(), first, body("3")); !errors.Is(err, ErrConflict) {
		t.Fatalf("swap on a stale head: %v", err)
	}
}

func TestEachFaultHasItsOutcome(t *testing.T) {
	for _, create := range []bool{true, false} {
		for fault, want := range map[faulty.Fault]struct{ swap, settled error }{
			faulty.Unavailable:          {ErrUnknownOutcome, ErrConflict},
			faulty.Busy:                 {nil, nil}, // surely nothing written: sent again
			faulty.Conflict:             {ErrUnknownOutcome, ErrConflict},
			faulty.ConflictAfterSuccess: {nil, nil},
			faulty.ResetBefore:          {ErrUnknownOutcome, ErrConflict},
			faulty.ResetAfter:           {nil, nil},
			faulty.Late:                 {ErrUnknownOutcome, ErrConflict},
		} {
			t.Run(fmt.Sprintf("%s, create %v", fault, create), func(t *testing.T) {
				checkFault(t, create, fault, want.swap, want.settled)
			})
		}
	}
}

func checkFault(t *testing.T, create bool, fault faulty.Fault, wantSwap, wantSettled error) {
	store := faulty.New(mem.New())
	r := New(store, "head", testConfig())
	var prev Head
	var err error
	if !create {
		if prev, err = r.Swap(t.Context(), prev, body("before")); err != nil {
			t.Fatal(err)
		}
	}
	store.Add(faulty.Rule{Op: faulty.Put, Fault: fault})
	_, err = r.Swap(t.Context(), prev, body("x"))
	if !errors.Is(err, wantSwap) || err == nil != (wantSwap == nil) {
		t.Fatalf("swap gave %v, want %v", err, wantSwap)
	}
	var unknown *UnknownError
	if errors.As(err, &unknown) {
		if _, err = r.Settle(t.Context(), unknown.Attempt); !errors.Is(err, wantSettled) {
			t.Fatalf("settle gave %v, want %v", err, wantSettled)
		}
	}
	store.Land(t.Context())
	h, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	landed := string(h.Body) == string(body("x"))
	if landed != (wantSettled == nil) {
		t.Fatalf("the head holds %s", h.Body)
	}
	if create && !landed && h.Body != nil {
		t.Fatalf("a creation that was settled leaves %s", h.Body)
	}
}

func TestALateWriteThatLandedBeforeSettlingIsAWin(t *testing.T) {
	store := faulty.New(mem.New())
	r := New(store, "head", testConfig())
	prev, err := r.Swap(t.Context(), Head{}, body("before"))
	if err != nil {
		t.Fatal(err)
	}
	store.Add(faulty.Rule{Op: faulty.Put, Fault: faulty.Late})
	_, err = r.Swap(t.Context(), prev, body("late"))
	var unknown *UnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("swap: %v", err)
	}
	store.Land(t.Context())
	h, err := r.Settle(t.Context(), unknown.Attempt)
	if err != nil || string(h.Body) != string(body("late")) {
		t.Fatalf("settle gave %s, %v", h.Body, err)
	}
}

func TestAnAttemptOfLongAgoStaysUnknown(t *testing.T) {
	store := faulty.New(mem.New())
	r := New(store, "head", testConfig())
	prev, _ := r.Swap(t.Context(), Head{}, body("before"))
	store.Add(faulty.Rule{Op: faulty.Put, Fault: faulty.Late})
	_, err := r.Swap(t.Context(), prev, body("late"))
	var unknown *UnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("swap: %v", err)
	}
	h := prev
	for i := range RecentMax + 2 {
		if h, err = r.Swap(t.Context(), h, body(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Settle(t.Context(), unknown.Attempt); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("settle gave %v", err)
	}
}

func TestAnOlderWriterReadsButRefusesToWrite(t *testing.T) {
	store := mem.New()
	newer := testConfig()
	newer.WriterFormat, newer.MinWriter = 2, 2
	if _, err := New(store, "head", newer).Swap(t.Context(), Head{}, body("new")); err != nil {
		t.Fatal(err)
	}
	r := New(store, "head", testConfig())
	h, err := r.Read(t.Context())
	if err != nil || h.MinWriter != 2 {
		t.Fatalf("read gave %+v, %v", h, err)
	}
	_, err = r.Swap(t.Context(), h, body("old"))
	want := "write head: head has a newer format: it wants writers of format 2, this program " +
		"writes 1; upgrade it"
	if !errors.Is(err, ErrFormat) || err.Error() != want {
		t.Fatalf("swap gave %v", err)
	}
}

func TestATooLargeHeadIsRefusedBeforeAnyWrite(t *testing.T) {
	cfg := testConfig()
	cfg.BytesMax = 200
	store := faulty.New(mem.New())
	_, err := New(store, "head", cfg).Swap(t.Context(), Head{}, body(strings.Repeat("x", 300)))
	if !errors.Is(err, ErrTooLarge) || len(store.Calls()) != 0 {
		t.Fatalf("swap gave %v after %d calls", err, len(store.Calls()))
	}
}

func TestCorruptHeadsAreNamed(t *testing.T) {
	for raw, want := range map[string]error{
		"":   ErrCorrupt,
		"{}": ErrCorrupt,
		`{"format":1,"min_writer":1,"version":0,"commit":"a","body":{}}`: ErrCorrupt,
		`{"format":1,"min_writer":1,"version":1,"commit":"","body":{}}`:  ErrCorrupt,
		`{"format":2,"min_writer":1,"version":1,"commit":"a","body":{}}`: ErrFormat,
		`{"format":1,"min_writer":1,"version":1,"commit":"a"}`:           ErrCorrupt,
	} {
		if _, err := Decode([]byte(raw)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", raw, err, want)
		}
	}
	store := mem.New()
	_, err := store.Put(t.Context(), "head", objstore.Bytes([]byte("x")), objstore.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(store, "head", testConfig()).Read(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"min_writer":1,"version":7,"commit":"ab","recent":["c"],"body":[]}`))
	f.Add([]byte(`{"format":1,"min_writer":1,"version":1,"commit":"ab","body":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := Decode(raw)
		if err != nil {
			return
		}
		again, err := encode(Head{Version: h.Version - 1, MinWriter: h.MinWriter}, h.CommitID, h.Body, 0)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil || back.Version != h.Version || back.CommitID != h.CommitID {
			t.Fatalf("%+v became %+v, %v", h, back, err)
		}
	})
}

// TestASwapRaisesWhatTheHeadWants shuts older writers out from one head on, lost replies included.
func TestASwapRaisesWhatTheHeadWants(t *testing.T) {
	for _, f := range append(faulty.Faults(faulty.Put, true), faulty.None) {
		store := faulty.New(mem.New())
		newer := testConfig()
		newer.WriterFormat = 2
		old, r := New(store, "head", testConfig()), New(store, "head", newer)
		h, err := old.Swap(t.Context(), Head{}, body("1"))
		if err != nil {
			t.Fatal(err)
		}
		store.FailCall(2, f)
		h2, err := r.SwapSettledRaising(t.Context(), h, body("2"), 2)
		if errors.Is(err, ErrConflict) { // the fault won: it was surely not written
			h2, err = r.SwapSettledRaising(t.Context(), h2, body("2"), 2)
		}
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if got, err := old.Read(t.Context()); err != nil || got.MinWriter != 2 {
			t.Fatalf("%s: %+v, %v", f, got, err)
		}
		if _, err := old.Swap(t.Context(), h2, body("3")); !errors.Is(err, ErrFormat) {
			t.Fatalf("%s: an older writer: %v", f, err)
		}
		if h3, err := r.Swap(t.Context(), h2, body("3")); err != nil || h3.MinWriter != 2 {
			t.Fatalf("%s: %+v, %v", f, h3, err)
		}
	}
}
