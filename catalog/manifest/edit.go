package manifest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/kafka"
)

// DeletedEpoch is the fence epoch of a deleted partition: no leader gets past it.
const DeletedEpoch kafka.LeaderEpoch = math.MaxInt32

// Segment is what AddSegment adds.
type Segment struct {
	Entry Entry
	// Epochs are the leader epochs of the records inside, the first covering the base offset.
	Epochs []kafka.EpochStart
}

// Fence refuses all edits by epochs below epoch from now on. ErrFenced when a higher one did so
// already.
func (h Head) Fence(epoch kafka.LeaderEpoch) (Head, error) { return h.edit(epoch) }

// edit is what every edit begins with: it refuses or raises the fence.
func (h Head) edit(epoch kafka.LeaderEpoch) (Head, error) {
	switch {
	case h.Deleted:
		return h, fmt.Errorf("edit manifest of %s: %w", h.TP(), ErrDeleted)
	case epoch < 0:
		return h, fmt.Errorf("edit manifest of %s: %w: leader epoch %d", h.TP(), ErrInvalid, epoch)
	case epoch < h.FenceEpoch:
		return h, fmt.Errorf("edit manifest of %s in leader epoch %d: %w by epoch %d",
			h.TP(), epoch, ErrFenced, h.FenceEpoch)
	}
	h.FenceEpoch = epoch
	return h, nil
}

// AddSegment appends a sealed segment, as the leader of epoch. Its base offset must be SealedEnd,
// or lie between SealedEnd and the log start offset where that is higher, or be any while nothing
// was ever sealed (the log then starts there at the earliest). Adding the same entry again is done
// already.
//
// A segment that an earlier epoch uploaded may be added as long as that epoch is not fenced. After
// that a sweep may already be deleting it, so it is ErrStaleSegment: upload it again.
//
// Errors: ErrFenced, ErrDeleted, ErrInvalid, ErrStaleSegment, ErrNotDense, ErrBelowLogStart,
// ErrTailFull.
func (h Head) AddSegment(s Segment, epoch kafka.LeaderEpoch) (Head, error) {
	n, err := h.edit(epoch)
	if err != nil {
		return h, err
	}
	e := s.Entry
	if err := e.Validate(); err != nil {
		return h, fmt.Errorf("add segment to %s: %w", h.TP(), err)
	}
	if slices.Contains(h.Tail, e) {
		return n, nil
	}
	if err := h.admits(e, epoch); err != nil {
		return h, fmt.Errorf("add segment %s to %s: %w", e.Range(), h.TP(), err)
	}
	n.Epochs, err = appendEpochs(h.Epochs, s.Epochs, e)
	if err != nil {
		return h, fmt.Errorf("add segment %s to %s: %w", e.Range(), h.TP(), err)
	}
	if h.SealedEndOffset == 0 {
		n.LogStartOffset = max(h.LogStartOffset, e.BaseOffset)
		n.VerifiedEnd, n.SweptEnd = e.BaseOffset, e.BaseOffset
	}
	n.Tail = append(slices.Clip(h.Tail), e)
	n.SealedEndOffset = e.NextOffset
	return n, nil
}

// admits reports why e cannot be the next segment.
func (h Head) admits(e Entry, epoch kafka.LeaderEpoch) error {
	first := h.SealedEndOffset == 0
	switch {
	case e.LeaderEpoch > epoch:
		return fmt.Errorf("%w: sealed in leader epoch %d, added in %d", ErrInvalid, e.LeaderEpoch, epoch)
	case e.LeaderEpoch < h.FenceEpoch:
		return fmt.Errorf("%w: uploaded in leader epoch %d, fenced by %d", ErrStaleSegment,
			e.LeaderEpoch, h.FenceEpoch)
	case e.NextOffset <= h.LogStartOffset:
		return fmt.Errorf("%w %d", ErrBelowLogStart, h.LogStartOffset)
	case !first && (e.BaseOffset < h.SealedEndOffset || e.BaseOffset > h.NextBase()):
		return fmt.Errorf("%w: sealed end %d, log start %d", ErrNotDense, h.SealedEndOffset,
			h.LogStartOffset)
	case len(h.Tail) >= TailHardMax:
		return fmt.Errorf("%w: %d segments above %d", ErrTailFull, len(h.Tail), h.VerifiedEnd)
	}
	return nil
}

// appendEpochs continues the history with the epochs of a segment.
func appendEpochs(have, more []kafka.EpochStart, e Entry) ([]kafka.EpochStart, error) {
	if len(more) > 0 && more[0].StartOffset > e.BaseOffset {
		return nil, fmt.Errorf("%w: the first leader epoch starts at %d", ErrInvalid, more[0].StartOffset)
	}
	out := slices.Clip(have)
	for _, m := range more {
		// A segment may name where an epoch truly began, below its own base offset; the history
		// knows that already or lost it with what expired.
		m.StartOffset = max(m.StartOffset, e.BaseOffset)
		if m.StartOffset >= e.NextOffset || m.Epoch < 0 || m.Epoch > e.LeaderEpoch {
			return nil, fmt.Errorf("%w: leader epoch %d starts at %d", ErrInvalid, m.Epoch, m.StartOffset)
		}
		if len(out) > 0 {
			last := out[len(out)-1]
			if last.Epoch == m.Epoch {
				continue
			}
			if m.Epoch < last.Epoch || m.StartOffset <= last.StartOffset {
				return nil, fmt.Errorf("%w: leader epoch %d at %d follows epoch %d at %d", ErrInvalid,
					m.Epoch, m.StartOffset, last.Epoch, last.StartOffset)
			}
		}
		out = append(out, m)
	}
	return out[max(0, len(out)-EpochsMax):], nil
}

// Verify records that all objects below upTo, the end of a segment, are in the store with the right
// size and checksum. Lower than VerifiedEnd is done already.
func (h Head) Verify(upTo kafka.Offset, epoch kafka.LeaderEpoch) (Head, error) {
	n, err := h.edit(epoch)
	if err != nil {
		return h, err
	}
	if upTo <= h.VerifiedEnd {
		return n, nil
	}
	if !slices.ContainsFunc(h.Tail, func(e Entry) bool { return e.NextOffset == upTo }) {
		return h, fmt.Errorf("verify %s up to %d: %w: no segment ends there, sealed end is %d",
			h.TP(), upTo, ErrInvalid, h.SealedEndOffset)
	}
	n.VerifiedEnd = upTo
	return n, nil
}

// MoveLogStart raises the log start offset to `to`, which may lie above SealedEnd (the caller holds
// it at or below the high watermark). Entries wholly below expire as of at, by the store's clock. A
// lower offset is done already. Retention and DeleteRecords both end here.
func (h Head) MoveLogStart(to kafka.Offset, epoch kafka.LeaderEpoch, at time.Time) (Head, error) {
	n, err := h.edit(epoch)
	if err != nil {
		return h, err
	}
	if to < 0 {
		return h, fmt.Errorf("move log start of %s: %w: offset %d", h.TP(), ErrInvalid, to)
	}
	if to <= h.LogStartOffset {
		return n, nil
	}
	n.LogStartOffset = to
	n.Epochs = trimEpochs(h.Epochs, to)
	if h.SealedEndOffset > h.SweptEnd {
		n.Expired = addMark(h.Expired, Expired{Below: to, At: kafka.TimestampOf(at)})
	}
	return n, nil
}

// trimEpochs forgets epochs that end at or below start. The last one stays, since it may go on.
func trimEpochs(epochs []kafka.EpochStart, start kafka.Offset) []kafka.EpochStart {
	i := 0
	for i+1 < len(epochs) && epochs[i+1].StartOffset <= start {
		i++
	}
	return epochs[i:]
}

func addMark(marks []Expired, m Expired) []Expired {
	if n := len(marks); n > 0 {
		if m.Below <= marks[n-1].Below {
			return marks
		}
		m.At = max(m.At, marks[n-1].At) // the store's clock as we know it may step back
		if n >= ExpiredMax {
			marks = marks[:n-1]
		}
	}
	return append(slices.Clip(marks), m)
}

// NameLedger says in which ledger the partition's checkpoint is from now on. The same one is done
// already.
func (h Head) NameLedger(ref checkpoint.Ref, epoch kafka.LeaderEpoch) (Head, error) {
	n, err := h.edit(epoch)
	if err != nil {
		return h, err
	}
	if ref.Agent < 0 || ref.Number < 0 {
		return h, fmt.Errorf("name the ledger of %s: %w: %d of agent %d",
			h.TP(), ErrInvalid, ref.Number, ref.Agent)
	}
	if h.Checkpoint == nil || *h.Checkpoint != ref {
		n.Checkpoint = &ref
	}
	return n, nil
}

// Delete marks the partition of a deleted topic: no leader edits it again. What it holds expires as
// of at, by the store's clock.
func (h Head) Delete(at time.Time) Head {
	if h.Deleted {
		return h
	}
	h.Deleted, h.FenceEpoch = true, DeletedEpoch
	if h.SealedEndOffset > h.SweptEnd {
		h.Expired = addMark(h.Expired, Expired{Below: h.SealedEndOffset, At: kafka.TimestampOf(at)})
	}
	return h
}

// SweepableEnd is the offset below which expired objects may be deleted: their mark is older than
// grace at now, by the store's clock.
func (h Head) SweepableEnd(now time.Time, grace time.Duration) kafka.Offset {
	end := h.SweptEnd
	for _, m := range h.Expired {
		if m.At.Time().Add(grace).After(now) {
			break
		}
		end = max(end, min(m.Below, h.SealedEndOffset))
	}
	return end
}

// DropExpired forgets entries that end at or below `below`, whose objects a sweep has deleted. It
// returns the references to pages that are not needed any more: a sweep deletes them next.
func (h Head) DropExpired(below kafka.Offset, epoch kafka.LeaderEpoch) (Head, []PageRef, error) {
	n := h
	if !h.Deleted {
		var err error
		if n, err = h.edit(epoch); err != nil {
			return h, nil, err
		}
		if below > h.LogStartOffset {
			return h, nil, fmt.Errorf("drop entries of %s below %d: %w: the log starts at %d",
				h.TP(), below, ErrInvalid, h.LogStartOffset)
		}
	}
	below = min(below, h.SealedEndOffset)
	if below <= h.SweptEnd {
		return n, nil, nil
	}
	n.SweptEnd = below
	n.Expired = slices.Clip(h.Expired)
	for len(n.Expired) > 0 && min(n.Expired[0].Below, h.SealedEndOffset) <= below {
		n.Expired = n.Expired[1:]
	}
	var gone []PageRef
	n.Indexes, gone = dropRefs(h.Indexes, below, gone)
	n.Pages, gone = dropRefs(h.Pages, below, gone)
	i := 0
	for i < len(h.Tail) && h.Tail[i].NextOffset <= below {
		i++
	}
	n.Tail = h.Tail[i:]
	return n, gone, nil
}

func dropRefs(refs []PageRef, below kafka.Offset, gone []PageRef) (kept, dropped []PageRef) {
	i := 0
	for i < len(refs) && refs[i].NextOffset <= below {
		i++
	}
	return refs[i:], append(gone, refs[:i]...)
}

// DropRetired forgets replaced pages that a sweep has deleted.
func (h Head) DropRetired(uids []string, epoch kafka.LeaderEpoch) (Head, error) {
	n := h
	if !h.Deleted {
		var err error
		if n, err = h.edit(epoch); err != nil {
			return h, err
		}
	}
	n.Retired = nil
	for _, r := range h.Retired {
		if !slices.Contains(uids, r.UID) {
			n.Retired = append(n.Retired, r)
		}
	}
	return n, nil
}
