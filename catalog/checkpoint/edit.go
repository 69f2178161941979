package checkpoint

import (
	"fmt"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// Save is what is new of one partition's checkpoint.
type Save struct {
	TP        kafka.TopicPartition
	TopicName string
	// LeaderEpoch is the epoch in which the agent leads the partition.
	LeaderEpoch kafka.LeaderEpoch
	// StartOffset is where the local log begins: parts wholly below it go, and only from there on may
	// all of a checkpoint be made anew.
	StartOffset kafka.Offset
	// Epochs is the history of leader epochs below the new end.
	Epochs []kafka.EpochStart
	// Parts take the place of all parts from the first one's base on.
	Parts []Part
}

// Fence refuses all edits by incarnations below this one from now on. ErrFenced when a higher one
// did so already.
func (l Ledger) Fence(incarnation int64) (Ledger, error) {
	switch {
	case incarnation < 1:
		return l, fmt.Errorf("edit ledger %d of agent %d: %w: incarnation %d",
			l.Number, l.Agent, ErrInvalid, incarnation)
	case incarnation < l.Incarnation:
		return l, fmt.Errorf("edit ledger %d of agent %d as incarnation %d: %w by incarnation %d",
			l.Number, l.Agent, incarnation, ErrFenced, l.Incarnation)
	}
	l.Incarnation = incarnation
	return l, nil
}

// Save names new parts of any number of partitions, all or none, and the objects that hold them.
// Objects that nothing needs any more retire as of at, by the store's clock.
//
// Errors: ErrFenced for the whole ledger; a *PartitionError with ErrFenced, ErrInvalid or ErrFull
// names the partition without which the others may be saved.
func (l Ledger) Save(
	incarnation int64, saves []Save, objects []Stored, at kafka.Timestamp,
) (Ledger, error) {
	n, err := l.Fence(incarnation)
	if err != nil {
		return l, err
	}
	n.Entries = slices.Clone(l.Entries)
	n.Objects = append(slices.Clone(l.Objects), objects...)
	slices.SortFunc(n.Objects, func(a, b Stored) int { return a.Compare(b.Object) })
	n.Objects = slices.Compact(n.Objects)
	for _, s := range saves {
		if err := n.saveOne(s, at); err != nil {
			return l, &PartitionError{TP: s.TP, Err: err}
		}
	}
	n.retireUnused(at)
	return n, nil
}

// saveOne changes the receiver, whose lists are its own.
func (l *Ledger) saveOne(s Save, at kafka.Timestamp) error {
	i, known := l.find(s.TP)
	var old Entry
	if known {
		old = l.Entries[i]
	}
	if s.LeaderEpoch < old.LeaderEpoch {
		return fmt.Errorf("save in leader epoch %d: %w by epoch %d",
			s.LeaderEpoch, ErrFenced, old.LeaderEpoch)
	}
	if len(s.Parts) == 0 || s.LeaderEpoch < 0 {
		return fmt.Errorf("%w: %d parts in leader epoch %d", ErrInvalid, len(s.Parts), s.LeaderEpoch)
	}
	e := Entry{
		Topic: s.TP.Topic, Partition: s.TP.Partition, TopicName: s.TopicName,
		LeaderEpoch: s.LeaderEpoch, SavedAt: at,
		Epochs: slices.Clone(s.Epochs[max(0, len(s.Epochs)-EpochsMax):]),
	}
	var err error
	if e.Parts, err = joined(old.Parts, s); err != nil {
		return err
	}
	if s.LeaderEpoch == old.LeaderEpoch && e.EndOffset() < old.EndOffset() {
		return fmt.Errorf("%w: it ends at %d, the one before at %d", ErrInvalid,
			e.EndOffset(), old.EndOffset())
	}
	if err := l.checkEntry(e); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch {
	case len(e.Parts) > PartsMax:
		return fmt.Errorf("%w: %d parts, at most %d", ErrFull, len(e.Parts), PartsMax)
	case !known && !l.HasRoom():
		return fmt.Errorf("%w: %d partitions", ErrFull, len(l.Entries))
	case l.parts()-len(old.Parts)+len(e.Parts) > LedgerPartsMax:
		return fmt.Errorf("%w: more than %d parts", ErrFull, LedgerPartsMax)
	case known:
		l.Entries[i] = e
	default:
		l.Entries = slices.Insert(l.Entries, i, e)
	}
	return nil
}

// joined is what stays of the old parts, and the new ones: they continue what stays, or begin where
// the log does.
func joined(old []Part, s Save) ([]Part, error) {
	from := s.Parts[0].BaseOffset
	var parts []Part
	for _, p := range old {
		if p.NextOffset > s.StartOffset && p.NextOffset <= from {
			parts = append(parts, p)
		}
	}
	if n := len(parts); from > s.StartOffset && (n == 0 || parts[n-1].NextOffset != from) {
		return nil, fmt.Errorf("%w: offsets from %d continue no part, and the log begins at %d",
			ErrInvalid, from, s.StartOffset)
	}
	return append(parts, s.Parts...), nil
}

func (l *Ledger) parts() int {
	n := 0
	for _, e := range l.Entries {
		n += len(e.Parts)
	}
	return n
}

// Drop forgets partitions: their topics are gone, or not compacted any more. One that is not there
// is done already. Objects that nothing needs any more retire as of at.
func (l Ledger) Drop(
	incarnation int64, tps []kafka.TopicPartition, at kafka.Timestamp,
) (Ledger, error) {
	n, err := l.Fence(incarnation)
	if err != nil {
		return l, err
	}
	n.Entries = slices.DeleteFunc(slices.Clone(l.Entries), func(e Entry) bool {
		return slices.Contains(tps, e.TP())
	})
	if len(n.Entries) == len(l.Entries) {
		n.Entries = l.Entries
		return n, nil
	}
	n.Objects = slices.Clone(l.Objects)
	n.retireUnused(at)
	return n, nil
}

// retireUnused moves the objects that no part lies in to Retired. It changes the receiver, whose
// list of objects is its own.
func (l *Ledger) retireUnused(at kafka.Timestamp) {
	used := make(map[Object]bool, len(l.Objects))
	for _, e := range l.Entries {
		for _, p := range e.Parts {
			used[p.Object] = true
		}
	}
	retired := slices.Clip(l.Retired)
	if n := len(retired); n > 0 {
		at = max(at, retired[n-1].At) // the store's clock as we know it may step back
	}
	kept := l.Objects[:0]
	for _, s := range l.Objects {
		if used[s.Object] {
			kept = append(kept, s)
			continue
		}
		retired = append(retired, Retired{Object: s.Object, At: at})
	}
	l.Objects = kept
	if over := len(retired) - RetiredMax; over > 0 {
		retired, l.ForgottenAt = retired[over:], at
	}
	l.Retired = retired
}

// Swept forgets retired objects that a sweep has deleted.
func (l Ledger) Swept(incarnation int64, gone []Object) (Ledger, error) {
	n, err := l.Fence(incarnation)
	if err != nil {
		return l, err
	}
	n.Retired = nil
	for _, r := range l.Retired {
		if !slices.Contains(gone, r.Object) {
			n.Retired = append(n.Retired, r)
		}
	}
	return n, nil
}
