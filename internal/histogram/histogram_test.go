package histogram

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A percentile is never below the exact one, and at most 1/64 and a microsecond above it.
func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var exact []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		h.Add(d)
		exact = append(exact, d)
	}
	slices.Sort(exact)
	for _, q := range []float64{0, 0.5, 0.95, 0.99, 0.999} {
		want := exact[int(q*float64(len(exact)))]
		got := h.Quantile(q)
		if got < want || got > want+want/64+time.Microsecond {
			t.Errorf("quantile %g is %s, exactly %s", q, got, want)
		}
	}
	if h.Max() != exact[len(exact)-1] || h.Quantile(1) != h.Max() {
		t.Errorf("max is %s, exactly %s", h.Max(), exact[len(exact)-1])
	}
	if h.Count() != 20_000 {
		t.Errorf("count is %d", h.Count())
	}
}

func TestEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("an empty histogram must tell 0")
	}
	h.Add(-time.Second)
	h.Add(1000 * time.Hour)
	if h.Max() != 1000*time.Hour || h.Quantile(0) > time.Microsecond {
		t.Errorf("got max %s, least %s", h.Max(), h.Quantile(0))
	}
}

// Buckets cover every duration without gap or overlap.
func TestBuckets(t *testing.T) {
	previous := -1
	for us := range time.Duration(100_000) {
		b := bucketOf(us * time.Microsecond)
		if b != previous && b != previous+1 {
			t.Fatalf("%d us is in bucket %d, the one before in %d", us, b, previous)
		}
		if us*time.Microsecond >= upperEnd(b) {
			t.Fatalf("%d us is beyond its bucket's end %s", us, upperEnd(b))
		}
		previous = b
	}
}
