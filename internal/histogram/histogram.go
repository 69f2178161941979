package histogram

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	subBits    = 6 // 64 buckets for each doubling
	subBuckets = 1 << subBits
	doublings  = 36
)

// Histogram counts durations. The zero value is empty and ready.
type Histogram struct {
	buckets [doublings * subBuckets]atomic.Int64
	count   atomic.Int64
	max     atomic.Int64
	sum     atomic.Int64
}

// Add counts one duration; negative ones count as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(d)].Add(1)
	h.count.Add(1)
	h.sum.Add(int64(d))
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Count is how many durations were counted.
func (h *Histogram) Count() int64 { return h.count.Load() }

// Max is the longest, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Mean is the mean, exactly; 0 when empty.
func (h *Histogram) Mean() time.Duration {
	if n := h.count.Load(); n > 0 {
		return time.Duration(h.sum.Load() / n)
	}
	return 0
}

// Quantile is the duration that the part q, from 0 to 1, of all does not exceed; 0 when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(q * float64(h.count.Load()))
	var seen int64
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen > rank {
			return min(upperEnd(i), h.Max())
		}
	}
	return h.Max()
}

// bucketOf: microseconds below 64 each have a bucket; above, the leading 7 bits choose it.
func bucketOf(d time.Duration) int {
	v := uint64(d.Microseconds())
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return min((shift+1)*subBuckets+int(v>>shift)-subBuckets, doublings*subBuckets-1)
}

// upperEnd is the first duration beyond bucket i.
func upperEnd(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i+1) * time.Microsecond
	}
	shift := i/subBuckets - 1
	return time.Duration(uint64(i%subBuckets+subBuckets+1)<<shift) * time.Microsecond
}
