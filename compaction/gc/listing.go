package gc

import (
	"context"
	"fmt"
	"strings"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// page classes one page of the listing and deletes its garbage.
func (w *sweep) page(ctx context.Context, objects []objstore.Info) error {
	w.census.Listed()
	var garbage []Deletion
	retired := map[string]bool{}
	for _, o := range objects {
		w.sum.Listed.Objects++
		w.sum.Listed.Bytes += o.Size
		f, err := w.census.Class(ctx, o)
		if err == nil && f.Uncommitted && f.Class == catalog.Pending {
			f, err = w.uncommitted(ctx, f, o)
		}
		if err != nil {
			// What cannot be judged is kept. Fsck names what is damaged.
			w.opts.Logger.Warn("object not swept", "object", o.Key, "err", err)
			f.Class = catalog.Pending
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		switch f.Class {
		case catalog.Garbage:
			garbage = append(garbage, Deletion{Key: o.Key, Bytes: o.Size, Why: f.Why})
			retired[o.Key] = strings.HasPrefix(o.Key, "cluster/")
		case catalog.Pending:
			w.sum.Pending.Objects++
			w.sum.Pending.Bytes += o.Size
		case catalog.Live, catalog.Foreign:
		}
	}
	if err := w.delete(ctx, garbage); err != nil {
		return err
	}
	return w.dropRetired(ctx, retired)
}

// dropRetired tells the cluster head which of its replaced objects are gone.
func (w *sweep) dropRetired(ctx context.Context, deleted map[string]bool) error {
	for key, isCluster := range deleted {
		if !isCluster {
			delete(deleted, key)
		}
	}
	if w.dry || len(deleted) == 0 {
		return nil
	}
	return w.cat.DropRetired(ctx, deleted)
}

// uncommitted decides about an object that nothing refers to and whose leader epoch is not fenced.
func (w *sweep) uncommitted(
	ctx context.Context, f catalog.Finding, o objstore.Info,
) (catalog.Finding, error) {
	if f.Ledger != nil {
		return w.unnamed(ctx, f, o)
	}
	p, ok := w.reader.State().Partition(f.TP)
	if !ok {
		return f, nil
	}
	lead, leads := w.opts.Leads(f.TP)
	if w.opts.Stopped && !leads {
		lead = Lead{Epoch: p.LeaderEpoch + 1}
	} else if !leads {
		return f, nil
	}
	switch {
	case f.LeaderEpoch < lead.Epoch:
		return w.fence(ctx, f, o, lead.Epoch)
	case f.LeaderEpoch == lead.Epoch:
		return w.own(ctx, f, lead)
	}
	return f, nil
}

// fence raises the fence epoch to the leader's and looks again.
func (w *sweep) fence(
	ctx context.Context, f catalog.Finding, o objstore.Info, epoch kafka.LeaderEpoch,
) (catalog.Finding, error) {
	if w.dry {
		f.Class, f.Why = catalog.Garbage, fmt.Sprintf("never committed, to be fenced by %d", epoch)
		return f, nil
	}
	_, err := w.cat.Partition(f.TP).Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		return h.Fence(max(epoch, h.FenceEpoch))
	})
	if err != nil {
		return f, err
	}
	w.sum.Fenced++
	w.census.Drop(f.TP)
	return w.census.Class(ctx, o)
}

// own decides about an object of this process's own leader epoch: first whether it is in flight,
// then, on a head that is read after that, whether it was committed.
func (w *sweep) own(
	ctx context.Context, f catalog.Finding, lead Lead,
) (catalog.Finding, error) {
	m := w.cat.Partition(f.TP)
	_, page, _ := manifest.ParseManifestKey(f.Key)
	if page != nil && m.PageInFlight(f.UID) ||
		page == nil && lead.UploadInFlight != nil && lead.UploadInFlight(f.UID) {
		return f, nil
	}
	if _, err := m.Load(ctx); err != nil {
		return f, err
	}
	held, err := w.holds(ctx, m, f, page)
	if err != nil || held {
		return f, err
	}
	f.Class, f.Why = catalog.Garbage, "never committed, its leader gave it up"
	return f, nil
}

func (w *sweep) holds(
	ctx context.Context, m *catalog.PartitionManifest, f catalog.Finding, page *manifest.PageName,
) (bool, error) {
	if page == nil {
		n, ok := manifest.ParseSegmentKey(f.Key)
		if !ok {
			return true, nil
		}
		_, held, err := m.Holds(ctx, n)
		return held, err
	}
	refs, err := m.Pages(ctx)
	if err != nil {
		return true, err
	}
	for _, r := range refs {
		if r.UID == f.UID {
			return true, nil
		}
	}
	h, _ := m.Head()
	for _, r := range h.Retired {
		if r.UID == f.UID {
			return true, nil
		}
	}
	return false, nil
}
