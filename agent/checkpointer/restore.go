package checkpointer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

// RestoresMax bounds the logs that are restored at once.
const RestoresMax = 4

// Saved is a checkpoint that a start may go on from.
type Saved struct {
	checkpoint.Entry
	ref checkpoint.Ref
}

// Find gives the checkpoint that a partition's manifest leads to; false when there is none. Older
// incarnations of this agent are fenced first, so that it is the last of theirs.
func (c *Checkpointer) Find(ctx context.Context, h manifest.Head) (Saved, bool, error) {
	if h.Checkpoint == nil {
		return Saved{}, false, nil
	}
	ref := *h.Checkpoint
	var l checkpoint.Ledger
	var err error
	if ref.Agent == c.cfg.Agent {
		l, err = c.catalog.Ledger(ref).Edit(ctx, func(l checkpoint.Ledger) (checkpoint.Ledger, error) {
			return l.Fence(c.cfg.Incarnation)
		})
	} else {
		l, _, err = c.catalog.Ledger(ref).Load(ctx)
	}
	if err != nil {
		return Saved{}, false, err
	}
	e, found := l.Entry(h.TP())
	return Saved{Entry: e, ref: ref}, found, nil
}

// Restore gives the batches of a checkpoint in the order of their offsets, a part at a time, and
// then what else a log has to know. It is the source of hotlog.Restore. ErrDamaged where the bucket
// holds other bytes than were saved.
func (c *Checkpointer) Restore(
	ctx context.Context, s Saved, add func(batches []byte) error,
) (hotlog.Image, error) {
	select {
	case c.restoring <- struct{}{}:
		defer func() { <-c.restoring }()
	case <-ctx.Done():
		return hotlog.Image{}, ctx.Err()
	}
	out := hotlog.Image{EndOffset: s.EndOffset()}
	producers := map[kafka.ProducerID]segment.ProducerState{}
	for _, p := range s.Parts {
		data, footer, err := c.readPart(ctx, s.ref, p)
		if err != nil {
			return out, fmt.Errorf("read checkpoint of offsets %s: %w", p.Range(), err)
		}
		if err := add(data); err != nil {
			return out, err
		}
		for _, st := range footer.Producers() {
			producers[st.ProducerID] = st
		}
		out.Epochs = joinEpochs(out.Epochs, footer.Meta().Epochs)
		out.Aborted = joinAborted(out.Aborted, footer.Aborted())
	}
	for _, st := range producers {
		out.Producers = append(out.Producers, st)
	}
	slices.SortFunc(out.Producers, func(a, b segment.ProducerState) int {
		return int(min(1, max(-1, a.ProducerID-b.ProducerID)))
	})
	return out, nil
}

// Restored counts a log that was restored.
func (c *Checkpointer) Restored(possibleLoss bool) {
	c.metrics.restores.WithLabelValues(fmt.Sprint(possibleLoss)).Inc()
}

// readPart reads a part whole and holds it against its checksum.
func (c *Checkpointer) readPart(
	ctx context.Context, ref checkpoint.Ref, p checkpoint.Part,
) ([]byte, *segment.Footer, error) {
	object := cache.Object{Key: ref.ObjectKey(p.Object), Size: p.Position + p.Bytes()}
	raw := make([]byte, p.Bytes())
	err := cache.Direct{Store: c.store}.ReadRange(ctx, object, raw, p.Position)
	if errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrInvalidRange) {
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if got := objstore.Checksum(raw); got != p.CRC32C {
		return nil, nil, fmt.Errorf("%w: %s has checksum %08x at %d, the ledger says %08x",
			ErrDamaged, object.Key, got, p.Position, p.CRC32C)
	}
	footer, _, err := segment.ParseFooter(raw, p.Bytes())
	if err == nil && (footer == nil || footer.Meta().DataBytes != p.DataBytes) {
		err = errors.New("its footer has another size")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s at %d: %w", ErrDamaged, object.Key, p.Position, err)
	}
	return raw[:p.DataBytes], footer, nil
}

// joinEpochs continues a history of epochs with that of the next part.
func joinEpochs(have, more []kafka.EpochStart) []kafka.EpochStart {
	for _, e := range more {
		if n := len(have); n == 0 || e.Epoch > have[n-1].Epoch {
			have = append(have, e)
		}
	}
	return have
}

// joinAborted adds aborted transactions that no part before had; both lists ascend by last offset.
func joinAborted(have, more []segment.AbortedTxn) []segment.AbortedTxn {
	for _, a := range more {
		if n := len(have); n == 0 || a.LastOffset > have[n-1].LastOffset {
			have = append(have, a)
		}
	}
	return have
}
