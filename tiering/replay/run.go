package replay

import (
	"iter"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// Run is a stretch of whole batches of one segment in offset order, byte for byte as produced. The
// first may begin below the offset asked for and the last may reach past the end asked for, as in a
// Kafka fetch: whoever wants single records cuts there.
type Run struct {
	// Bytes are the batches. They must not be changed, nor used once the Run is released.
	Bytes []byte
	// Position is where Bytes begins in the object.
	Position int64
	// Offsets are what the run settles: the caller who has used it goes on at Offsets.Next.
	Offsets kafka.OffsetRange
	// Entry is the segment.
	Entry manifest.Entry
	// Footer is the segment's.
	Footer *segment.Footer

	chunk *chunk
}

// Retain allows one more Release, so that two users can let go on their own.
func (r *Run) Retain() { r.chunk.retain() }

// Release lets go of the memory. Each Retain needs one more.
func (r *Run) Release() { r.chunk.release() }

// Batches walks the run.
func (r *Run) Batches() iter.Seq[record.Batch] {
	return func(yield func(record.Batch) bool) {
		rest := r.Bytes
		for len(rest) > 0 {
			b, next, err := record.Next(rest)
			if err != nil || !yield(b) { // Next split the same bytes without an error before
				return
			}
			rest = next
		}
	}
}

// Isolation says which records of transactions are seen, as Kafka's isolation.level does.
type Isolation uint8

const (
	// ReadCommitted leaves out the records of aborted transactions. What is sealed has ended, so it sees
	// all others.
	ReadCommitted Isolation = iota
	// ReadUncommitted sees the records of aborted transactions too.
	ReadUncommitted
)

// Visible walks the run as a consumer with an isolation sees it: without control batches in any case.
func (r *Run) Visible(i Isolation) iter.Seq[record.Batch] {
	if i == ReadCommitted {
		return r.Committed()
	}
	return func(yield func(record.Batch) bool) {
		for b := range r.Batches() {
			if !b.IsControl() && !yield(b) {
				return
			}
		}
	}
}

// Committed walks the run as a read_committed consumer sees it: without control batches and without
// batches of aborted transactions.
func (r *Run) Committed() iter.Seq[record.Batch] {
	aborted := r.Footer.Aborted()
	return func(yield func(record.Batch) bool) {
		for b := range r.Batches() {
			if b.IsControl() || isAborted(b, aborted) {
				continue
			}
			if !yield(b) {
				return
			}
		}
	}
}

// isAborted reports whether a transactional batch belongs to one of the aborted transactions.
func isAborted(b record.Batch, aborted []segment.AbortedTxn) bool {
	if len(aborted) == 0 || !b.IsTransactional() {
		return false
	}
	for _, a := range aborted {
		if a.ProducerID == b.ProducerID() &&
			a.FirstOffset <= b.BaseOffset() && b.LastOffset() <= a.LastOffset {
			return true
		}
	}
	return false
}
