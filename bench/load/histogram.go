package load

import (
	"math"
	"math/bits"
	"time"
)

// Values below 2^subBits microseconds have a bucket each; above, every power of two is divided into
// 2^subBits buckets, so that a bucket's bounds differ by at most 1/128.
const (
	subBits = 7
	buckets = (40 - subBits + 1) << subBits
)

// Histogram counts durations in microseconds up to 2^40 (12 days). The zero value is empty. It is
// not safe for concurrent use: merge one per goroutine.
type Histogram struct {
	counts [buckets]int64
	total  int64
	max    int64
}

// Record counts n times the same duration. Negative ones count as zero.
func (h *Histogram) Record(d time.Duration, n int64) {
	us := min(max(d.Microseconds(), 0), 1<<40-1)
	h.counts[bucketOf(us)] += n
	h.total += n
	h.max = max(h.max, us)
}

// Merge adds what another histogram counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// Count is how many durations were recorded.
func (h *Histogram) Count() int64 { return h.total }

// Max is the largest duration recorded, in whole microseconds.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) * time.Microsecond }

// Quantile gives the duration that a share q (0 to 1) of all do not exceed, to within 1/128 above.
// Zero where nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(int64(math.Ceil(q*float64(h.total))), 1)
	seen := int64(0)
	for i, n := range h.counts {
		seen += n
		if seen >= rank && n > 0 {
			return time.Duration(min(upperOf(i), h.max)) * time.Microsecond
		}
	}
	return 0
}

// bucketOf gives the bucket of a duration of us microseconds.
func bucketOf(us int64) int {
	shift := max(bits.Len64(uint64(us))-subBits-1, 0)
	return shift<<subBits + int(us>>shift)
}

// upperOf gives the largest duration of a bucket.
func upperOf(i int) int64 {
	shift := max(i>>subBits-1, 0)
	return (int64(i-shift<<subBits)+1)<<shift - 1
}
