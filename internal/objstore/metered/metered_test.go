package metered_test

import (
	"errors"
	"io"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/objstore/metered"
	"github.com/varve-log/varve/internal/objstore/objstoretest"
)

func TestConformance(t *testing.T) {
	objstoretest.Run(t, func(*testing.T) objstore.Store {
		return metered.New(mem.New(), metered.NewMetrics(nil))
	})
}

func TestCounts(t *testing.T) {
	ctx := t.Context()
	m := metered.NewMetrics(prometheus.NewRegistry())
	s := metered.New(mem.New(), m)
	create := objstore.Condition{IfAbsent: true}
	if _, err := s.Put(ctx, "k", objstore.Bytes(make([]byte, 100)), create); err != nil {
		t.Fatal(err)
	}
	before := s.Counts()
	_, err := s.Put(ctx, "k", objstore.Bytes(make([]byte, 100)), create)
	if !errors.Is(err, objstore.ErrConflict) {
		t.Fatal(err)
	}
	rc, _, err := s.Get(ctx, "k", objstore.Range{Length: 30})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, rc); err != nil {
		t.Fatal(err)
	}
	if err := rc.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Counts().Sub(before), (metered.Counts{Put: 1, Get: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if got := s.Counts().Total(); got != 3 {
		t.Errorf("counted %d calls in all, want 3", got)
	}
	for counter, want := range map[prometheus.Counter]float64{
		m.Requests.WithLabelValues("put", "ok"):       1,
		m.Requests.WithLabelValues("put", "conflict"): 1,
		m.Requests.WithLabelValues("get", "ok"):       1,
		m.Bytes.WithLabelValues("get", "in"):          30,
		m.Bytes.WithLabelValues("put", "out"):         100,
	} {
		if got := testutil.ToFloat64(counter); got != want {
			t.Errorf("%v is %v, want %v", counter.Desc(), got, want)
		}
	}
}
