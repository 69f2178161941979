package gc

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
)

// deleteBatch is how many expired segments are deleted before more are looked up.
const deleteBatch = 1024

// partitions deletes what the heads of this process's partitions say is replaced or expired.
func (w *sweep) partitions(ctx context.Context) error {
	var errs []error
	for _, t := range w.reader.State().Topics() {
		for i, p := range t.Partitions {
			if ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			tp := kafka.TopicPartition{Topic: t.ID, Partition: int32(i)}
			epoch, ok := w.epoch(tp, p)
			if !ok {
				continue
			}
			if err := w.partition(ctx, tp, epoch); err != nil {
				errs = append(errs, fmt.Errorf("partition %d of topic %q: %w", i, t.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// epoch is the leader epoch in which this sweep may edit the partition's manifest.
func (w *sweep) epoch(tp kafka.TopicPartition, p cluster.Partition) (kafka.LeaderEpoch, bool) {
	if lead, ok := w.opts.Leads(tp); ok {
		return lead.Epoch, true
	}
	return p.LeaderEpoch, w.opts.Stopped
}

func (w *sweep) partition(
	ctx context.Context, tp kafka.TopicPartition, epoch kafka.LeaderEpoch,
) error {
	m := w.cat.Partition(tp)
	h, ok := m.Head()
	if !ok {
		var err error
		if h, err = m.Load(ctx); err != nil {
			return err
		}
	}
	if w.opts.Stopped {
		epoch = max(epoch, h.FenceEpoch)
	}
	end := h.SweepableEnd(w.now, w.opts.Grace)
	uids, replaced := w.retired(tp, h)
	if end <= h.SweptEnd && len(uids) == 0 {
		return nil
	}
	if err := w.expired(ctx, m, h, end); err != nil {
		return err
	}
	if err := w.delete(ctx, replaced); err != nil || w.dry {
		return err
	}
	var gone []manifest.PageRef
	_, err := m.Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		h, err := h.DropRetired(uids, epoch)
		if err != nil {
			return h, err
		}
		h, gone, err = h.DropExpired(end, epoch)
		return h, err
	})
	if err != nil {
		return err
	}
	return w.pages(ctx, m, gone)
}

// retired lists replaced pages whose grace time has passed.
func (w *sweep) retired(
	tp kafka.TopicPartition, h manifest.Head,
) (uids []string, ds []Deletion) {
	for _, r := range h.Retired {
		if !r.At.Time().Add(w.opts.Grace).After(w.now) {
			uids = append(uids, r.UID)
			ds = append(ds, Deletion{Key: r.Key(tp), Why: "replaced by a newer page"})
		}
	}
	return uids, ds
}

// expired deletes the segments that end at or below end.
func (w *sweep) expired(
	ctx context.Context, m *catalog.PartitionManifest, h manifest.Head, end kafka.Offset,
) error {
	var batch []Deletion
	why := fmt.Sprintf("expired below %d", h.LogStartOffset)
	for e, err := range m.Unswept(ctx) {
		if err != nil {
			return err
		}
		if e.NextOffset > end {
			break
		}
		batch = append(batch, Deletion{Key: e.Key(m.TP()), Bytes: e.Bytes, Why: why})
		if len(batch) == deleteBatch {
			if err := w.delete(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return w.delete(ctx, batch)
}

// pages deletes pages of which every entry was swept, after the head let go of them.
func (w *sweep) pages(
	ctx context.Context, m *catalog.PartitionManifest, gone []manifest.PageRef,
) error {
	all, err := m.PagesBelow(ctx, gone)
	if err != nil {
		return err
	}
	var ds []Deletion
	for _, r := range all {
		ds = append(ds, Deletion{Key: r.Key(m.TP()), Why: "all its segments expired"})
	}
	return w.delete(ctx, ds)
}

// fenceDeleted marks the manifests of deleted topics, so that a leader that has not heard of it
// stops.
func (w *sweep) fenceDeleted(ctx context.Context, due []cluster.DeletedTopic) error {
	if w.dry {
		return nil
	}
	for _, d := range due {
		for i := range d.Partitions {
			m := w.cat.Partition(kafka.TopicPartition{Topic: d.ID, Partition: i})
			h, err := m.Load(ctx)
			if errors.Is(err, catalog.ErrRolledBack) || err == nil && h.FenceEpoch < 0 {
				continue // swept before, or never written
			}
			if err != nil {
				return fmt.Errorf("fence partition %d of deleted topic %q: %w", i, d.Name, err)
			}
			_, err = m.Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
				return h.Delete(d.DeletedAt.Time()), nil
			})
			if err != nil {
				return fmt.Errorf("fence partition %d of deleted topic %q: %w", i, d.Name, err)
			}
		}
	}
	return nil
}
