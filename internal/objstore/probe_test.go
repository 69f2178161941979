package objstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/objstore/metered"
)

// liar drops the conditions it is told to ignore.
type liar struct {
	objstore.Store
	ignoreAbsent, ignoreMatch, sameETag bool
}

func (l liar) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	if l.ignoreAbsent {
		cond.IfAbsent = false
	}
	if l.ignoreMatch || l.sameETag {
		cond.IfMatch = ""
	}
	info, err := l.Store.Put(ctx, key, body, cond)
	if l.sameETag {
		info.ETag = "constant"
	}
	return info, err
}

func TestProbeRefusesLiars(t *testing.T) {
	tests := []struct {
		store liar
		did   string
	}{
		{liar{ignoreAbsent: true}, "If-None-Match"},
		{liar{ignoreMatch: true}, "If-Match"},
		{liar{ignoreAbsent: true, ignoreMatch: true}, "If-None-Match"},
		{liar{sameETag: true}, "same ETag"},
	}
	for _, tt := range tests {
		inner := mem.New()
		tt.store.Store = inner
		err := objstore.Probe(t.Context(), tt.store)
		if !errors.Is(err, objstore.ErrLyingStore) {
			t.Fatalf("%+v passed the probe: %v", tt.store, err)
		}
		for _, part := range []string{tt.did, inner.URL(), "use a store"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
		page, err := inner.List(t.Context(), "", "", 10)
		if err != nil || len(page.Objects) != 0 {
			t.Errorf("the probe left %+v, %v behind", page, err)
		}
	}
}

func TestProbeCostsFiveRequests(t *testing.T) {
	s := metered.New(mem.New(), metered.NewMetrics(nil))
	if err := objstore.Probe(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Counts(), (metered.Counts{Put: 4, Delete: 1}); got != want {
		t.Errorf("the probe made %+v, want %+v", got, want)
	}
}

// TestProbeUnderFaults: whatever one call does, an honest store is never called a liar, and one
// whose answers are merely lost passes on a second try.
func TestProbeUnderFaults(t *testing.T) {
	quiet := faulty.New(mem.New())
	if err := objstore.Probe(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	for _, c := range quiet.Calls() {
		for _, f := range faulty.Faults(c.Op, !c.Cond.Always()) {
			s := faulty.New(mem.New())
			s.FailCall(c.N, f)
			err := objstore.Probe(t.Context(), s)
			if errors.Is(err, objstore.ErrLyingStore) {
				t.Errorf("call %d with fault %q makes an honest store a liar: %v", c.N, f, err)
			}
			if (f == faulty.ResetBefore || f == faulty.ResetAfter) && c.Op == faulty.Put && err != nil {
				t.Errorf("call %d with fault %q fails the probe: %v", c.N, f, err)
			}
		}
	}
}

func TestProbeTellsAnUnreachableStore(t *testing.T) {
	s := faulty.New(mem.New())
	s.Add(faulty.Rule{Fault: faulty.Unavailable, Times: -1})
	err := objstore.Probe(t.Context(), s)
	if err == nil || errors.Is(err, objstore.ErrLyingStore) {
		t.Errorf("the probe of an unreachable store told %v", err)
	}
}
