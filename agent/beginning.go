package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-log/varve/agent/checkpointer"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

// beginning is what the bucket has of a partition, from which its log goes on where the local disk
// has less, or other: sealed segments, the checkpoint of a compacted log, or both, of which the one
// that reaches further counts.
type beginning struct {
	head manifest.Head
	// opening is where a log begins at the sealed end.
	opening hotlog.Opening
	// saved is the checkpoint, where it reaches beyond the sealed end; nil: it does not.
	saved *checkpointer.Saved
	// loss: records that were written after the checkpoint may be lost with the local log.
	loss bool
}

// beginningOf reads what the bucket has. Where the process that led before may still be at work it is
// fenced first.
func (a *Agent) beginningOf(
	ctx context.Context, l ledPartition, archive partition.Archive,
) (beginning, error) {
	b := beginning{loss: !a.doubt.archived}
	var err error
	b.head, err = archive.Load(ctx)
	if err == nil && a.doubt.fence {
		b.head, err = archive.Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
			return h.Fence(l.epoch)
		})
	}
	if err != nil {
		return b, fmt.Errorf("load manifest: %w", err)
	}
	saved, found, err := a.saver.Find(ctx, b.head)
	if err != nil {
		return b, fmt.Errorf("find the checkpoint: %w", err)
	}
	if found && saved.EndOffset() > b.head.SealedEnd() {
		b.saved = &saved
	}
	b.opening = hotlog.Opening{
		StartOffset: b.head.NextBase(), Epochs: b.head.Epochs, LogStartOffset: b.head.LogStartOffset,
	}
	b.opening.Producers, err = a.sealedProducers(ctx, archive, b.head)
	return b, err
}

// sealedProducers reads the producer state as of the sealed end from the newest segment's footer, be
// its records expired or not. It is lost only with a newest segment that was swept.
func (a *Agent) sealedProducers(
	ctx context.Context, archive partition.Archive, head manifest.Head,
) ([]segment.ProducerState, error) {
	var entry manifest.Entry
	if n := len(head.Tail); n > 0 {
		entry = head.Tail[n-1]
	} else {
		found, ok, err := archive.Find(ctx, head.SealedEnd()-1)
		if err != nil {
			return nil, fmt.Errorf("find the newest sealed segment: %w", err)
		}
		if !ok {
			return nil, nil
		}
		entry = found
	}
	object := cache.Object{Key: entry.Key(archive.TP()), Size: entry.Bytes}
	footer, err := a.footers.Get(ctx, object, entry.FooterBytes)
	if errors.Is(err, objstore.ErrNotFound) && entry.NextOffset <= head.LogStartOffset {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest sealed segment's producer state: %w", err)
	}
	return footer.Producers(), nil
}

// empty reports whether the bucket has nothing of the partition.
func (b beginning) empty() bool { return b.head.SealedEnd() == 0 && b.saved == nil }

// end is where a log that begins so goes on.
func (b beginning) end() kafka.Offset {
	if b.saved == nil {
		return b.opening.StartOffset
	}
	return max(b.saved.EndOffset(), b.opening.StartOffset)
}

// fits reports whether a local log goes on from what the bucket has: it is not behind it and has the
// same leader epochs below its end.
func (b beginning) fits(log *hotlog.Log) bool {
	if b.saved != nil {
		end := b.saved.EndOffset()
		if log.LogEndOffset() < end || !sameEpochs(log, b.saved.Epochs, b.saved.StartOffset(), end) {
			return false
		}
	}
	sealed := b.head.SealedEnd()
	return sealed == 0 ||
		log.LogEndOffset() >= sealed && sameEpochs(log, b.head.Epochs, b.head.LogStartOffset, sealed)
}

// begin makes the local log what the bucket has: the checkpoint's records, or an empty log at the
// sealed end. There must be nothing left that is worth keeping in its directory.
func (a *Agent) begin(ctx context.Context, l ledPartition, b beginning) (*hotlog.Log, error) {
	deps := a.logDeps(l)
	path, cfg := a.dir.PartitionPath(l.tp), a.logConfig(l.topic)
	if b.saved == nil {
		return hotlog.Open(a.fs, path, cfg, b.opening, deps)
	}
	read := func(add func([]byte) error) (hotlog.Image, error) {
		i, err := a.saver.Restore(ctx, *b.saved, add)
		i.EndOffset, i.LogStartOffset = b.end(), b.head.LogStartOffset
		return i, err
	}
	from := hotlog.Source{StartOffset: b.saved.StartOffset(), Read: read}
	if err := hotlog.Restore(a.fs, path, cfg, from, deps); err != nil {
		return nil, err
	}
	log, err := hotlog.Open(a.fs, path, cfg, b.opening, deps)
	if err != nil {
		return nil, err
	}
	a.saver.Restored(b.loss)
	attributes := []any{
		"log_end_offset", log.LogEndOffset(), "records", b.saved.Records(),
		"saved_at", b.saved.SavedAt.Time(),
	}
	if b.loss {
		deps.Logger.Warn("local log restored from its checkpoint, what was written after that is lost",
			attributes...)
	} else {
		deps.Logger.Info("local log restored from its checkpoint", attributes...)
	}
	return log, nil
}

// sameEpochs holds the epochs of the local log against those of what the bucket has in [start, end),
// where both know them.
func sameEpochs(log *hotlog.Log, epochs []kafka.EpochStart, start, end kafka.Offset) bool {
	both := kafka.OffsetRange{Base: max(log.LocalLogStartOffset(), start), Next: end}
	if len(epochs) > 0 {
		both.Base = max(both.Base, epochs[0].StartOffset)
	}
	if both.Base >= both.Next {
		return true
	}
	return slices.Equal(epochsIn(log.Epochs(), both), epochsIn(epochs, both))
}

// epochsIn gives the epochs of a range, the first beginning with it.
func epochsIn(all []kafka.EpochStart, r kafka.OffsetRange) []kafka.EpochStart {
	var in []kafka.EpochStart
	for i, e := range all {
		if e.StartOffset >= r.Next || i+1 < len(all) && all[i+1].StartOffset <= r.Base {
			continue
		}
		e.StartOffset = max(e.StartOffset, r.Base)
		in = append(in, e)
	}
	return in
}
