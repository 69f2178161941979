package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/objstore/objstoretest"
)

func TestQuietConformance(t *testing.T) {
	objstoretest.Run(t, func(*testing.T) objstore.Store { return faulty.New(mem.New()) })
}

func put(ctx context.Context, s objstore.Store, value string, cond objstore.Condition) error {
	_, err := s.Put(ctx, "k", objstore.Bytes([]byte(value)), cond)
	return err
}

func content(t *testing.T, s objstore.Store) string {
	t.Helper()
	b, _, err := objstore.ReadAll(t.Context(), s, "k", 1000)
	if errors.Is(err, objstore.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFaultsOfPut(t *testing.T) {
	create := objstore.Condition{IfAbsent: true}
	tests := []struct {
		fault         faulty.Fault
		cond          objstore.Condition
		want          error
		during, later string // what the wrapped store holds after the call, and after Land
	}{
		{faulty.Unavailable, create, objstore.ErrUnknownOutcome, "", ""},
		{faulty.Unavailable, objstore.Condition{}, objstore.ErrUnavailable, "", ""},
		{faulty.Busy, create, objstore.ErrUnavailable, "", ""},
		{faulty.Conflict, create, objstore.ErrConflict, "", ""},
		{faulty.ConflictAfterSuccess, create, objstore.ErrConflict, "v", "v"},
		{faulty.ResetBefore, create, objstore.ErrUnknownOutcome, "", ""},
		{faulty.ResetAfter, create, objstore.ErrUnknownOutcome, "v", "v"},
		{faulty.ResetAfter, objstore.Condition{}, objstore.ErrUnavailable, "v", "v"},
		{faulty.Late, create, objstore.ErrUnknownOutcome, "", "v"},
		{faulty.Late, objstore.Condition{}, objstore.ErrUnavailable, "", "v"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s/%+v", tt.fault, tt.cond), func(t *testing.T) {
			inner := mem.New()
			s := faulty.New(inner)
			s.Add(faulty.Rule{Op: faulty.Put, Fault: tt.fault})
			err := put(t.Context(), s, "v", tt.cond)
			if !errors.Is(err, tt.want) || !faulty.IsInjected(err) {
				t.Fatalf("got error %v, want %v", err, tt.want)
			}
			if got := content(t, inner); got != tt.during {
				t.Errorf("the store holds %q, want %q", got, tt.during)
			}
			s.Land(t.Context())
			if got := content(t, inner); got != tt.later {
				t.Errorf("the store holds %q at last, want %q", got, tt.later)
			}
			if err := put(t.Context(), s, "w", objstore.Condition{}); err != nil {
				t.Errorf("a rule for one call struck twice: %v", err)
			}
		})
	}
}

func TestLateWriteLosesItsCondition(t *testing.T) {
	s := faulty.New(mem.New())
	s.Add(faulty.Rule{Op: faulty.Put, Fault: faulty.Late})
	_ = put(t.Context(), s, "late", objstore.Condition{IfAbsent: true})
	if err := put(t.Context(), s, "prompt", objstore.Condition{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	if n := s.Land(t.Context()); n != 1 {
		t.Errorf("%d writes landed, want 1", n)
	}
	if got := content(t, s); got != "prompt" {
		t.Errorf("the late write overwrote %q", got)
	}
}

func TestFaultsOfReading(t *testing.T) {
	ctx := t.Context()
	s := faulty.New(mem.New())
	if err := put(ctx, s, "0123456789", objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(ctx, "", "", 10); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "k2", objstore.Bytes(nil), objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	s.Add(
		faulty.Rule{Op: faulty.Get, Fault: faulty.Truncated},
		faulty.Rule{Op: faulty.Get, Fault: faulty.Corrupt},
		faulty.Rule{Op: faulty.Head, Fault: faulty.Unavailable},
		faulty.Rule{Op: faulty.List, Fault: faulty.Stale},
		faulty.Rule{Op: faulty.Delete, Fault: faulty.ResetAfter, Prefix: "k2"},
	)
	rc, _, err := s.Get(ctx, "k", objstore.Range{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(rc); !errors.Is(err, io.ErrUnexpectedEOF) || string(b) != "01234" {
		t.Errorf("a truncated body gave %q, %v", b, err)
	}
	_, _, err = objstore.ReadAll(ctx, s, "k", 100)
	if !errors.Is(err, objstore.ErrChecksum) {
		t.Errorf("a flipped bit gave %v", err)
	}
	if _, err := s.Head(ctx, "k"); !errors.Is(err, objstore.ErrUnavailable) {
		t.Errorf("Head gave %v", err)
	}
	for i, want := range []int{1, 2} {
		page, err := s.List(ctx, "", "", 10)
		if err != nil || len(page.Objects) != want {
			t.Errorf("List %d gave %+v, %v, want %d keys", i, page, err, want)
		}
	}
	if err := s.Delete(ctx, "k2"); !errors.Is(err, objstore.ErrUnavailable) {
		t.Errorf("Delete gave %v", err)
	}
	if _, err := s.Head(ctx, "k2"); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("Head of what a reset Delete removed gave %v", err)
	}
}

// TestEveryCallEveryWay is how callers use the records: run, then fail call k in way w.
func TestEveryCallEveryWay(t *testing.T) {
	work := func(s *faulty.Store) {
		_ = put(t.Context(), s, "a", objstore.Condition{IfAbsent: true})
		_, _, _ = objstore.ReadAll(t.Context(), s, "k", 10)
		_ = s.Delete(t.Context(), "k")
	}
	quiet := faulty.New(mem.New())
	work(quiet)
	runs := 0
	for _, c := range quiet.Calls() {
		for _, f := range faulty.Faults(c.Op, !c.Cond.Always()) {
			s := faulty.New(mem.New())
			s.FailCall(c.N, f)
			work(s)
			if got := s.Calls()[c.N-1]; got.Fault != f || got.Op != c.Op {
				t.Errorf("call %d was %+v, want the fault %s", c.N, got, f)
			}
			runs++
		}
	}
	if want := 7 + 3 + 3; runs != want {
		t.Errorf("%d runs, want %d", runs, want)
	}
}

func TestRandomIsReplayable(t *testing.T) {
	run := func(seed uint64) []faulty.Call {
		s := faulty.New(mem.New())
		s.Random(seed, 0.3)
		for i := range 100 {
			_ = put(t.Context(), s, fmt.Sprint(i), objstore.Condition{})
		}
		s.Quiet()
		if err := put(t.Context(), s, "end", objstore.Condition{}); err != nil {
			t.Errorf("a quiet store failed: %v", err)
		}
		return s.Calls()
	}
	if !slices.Equal(run(1), run(1)) {
		t.Error("the same seed gave different faults")
	}
	if slices.Equal(run(1), run(2)) {
		t.Error("different seeds gave the same faults")
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := faulty.New(mem.New())
		s.Add(faulty.Rule{Delay: time.Minute, Times: -1})
		begun := time.Now()
		if err := put(t.Context(), s, "v", objstore.Condition{}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d != time.Minute {
			t.Errorf("took %v, want a minute", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := put(ctx, s, "v", objstore.Condition{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a delayed call ignored its deadline: %v", err)
		}
	})
}
