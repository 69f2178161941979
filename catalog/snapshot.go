package catalog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
)

// snapshotIfDue starts writing a snapshot in the background when the run of deltas is long, or
// waits for it when it is much too long. At most one is under way.
func (c *Catalog) snapshotIfDue() {
	v := c.view()
	if !v.root.SnapshotDue() {
		return
	}
	c.mu.Lock()
	start := !c.snapping && !c.closed
	if start {
		c.snapping = true
	}
	c.mu.Unlock()
	if !start {
		return
	}
	run := func() {
		ctx, cancel := context.WithTimeout(c.ctx, c.opts.CommitTimeout)
		defer cancel()
		err := c.Snapshot(ctx)
		c.opts.Metrics.snapshots.WithLabelValues(outcome(err)).Inc()
		if err != nil {
			c.opts.Logger.Warn("cluster snapshot failed", "version", v.head.Version, "err", err)
		}
		c.mu.Lock()
		c.snapping = false
		c.mu.Unlock()
	}
	if v.root.SnapshotOverdue() {
		run()
		return
	}
	c.work.Go(run)
}

// Snapshot writes the newest state as a snapshot, so that opening needs fewer objects. Pages that
// did not change are named again. It is called in the background when due; an error leaves all as
// it was.
func (c *Catalog) Snapshot(ctx context.Context) error {
	v := c.view()
	snap, objects, err := cluster.PlanSnapshot(v.state, v.root.Snapshot, v.snapState, c.opts.NewUID)
	if err != nil {
		return fmt.Errorf("snapshot cluster state: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(LoadParallel)
	for _, o := range objects {
		g.Go(func() error { return putObject(gctx, c.store, o) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("snapshot cluster state: %w", err)
	}
	at, err := c.clock.Now(ctx)
	if err != nil {
		return fmt.Errorf("snapshot cluster state: %w", err)
	}
	for try := range CommitTries {
		err := c.swapSnapshot(ctx, v, func(r cluster.Root) (cluster.Root, bool) {
			return r.WithSnapshot(snap, v.root.Snapshot, milliseconds(at))
		})
		if !errors.Is(err, register.ErrConflict) {
			return err
		}
		if err := jitter(ctx, try); err != nil {
			return fmt.Errorf("snapshot cluster state: %w", err)
		}
		if _, err := c.Refresh(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("snapshot cluster state: %w", ErrConflict)
}

var errOutdated = errors.New("another snapshot came first, or too many commits")

// swapSnapshot commits a root that names the snapshot of taken's state.
func (c *Catalog) swapSnapshot(
	ctx context.Context, taken *view, change func(cluster.Root) (cluster.Root, bool),
) error {
	c.headMu.Lock()
	defer c.headMu.Unlock()
	v := c.view()
	root, ok := change(v.root)
	if !ok || v.head.Version >= taken.head.Version+cluster.SnapshotAgeMax {
		return errOutdated
	}
	_, err := c.swapRoot(ctx, v, &view{root: root, state: v.state, snapState: taken.state})
	return err
}

// DropRetired tells the head that these replaced objects of the cluster state are deleted.
func (c *Catalog) DropRetired(ctx context.Context, keys map[string]bool) error {
	for try := range CommitTries {
		c.headMu.Lock()
		v := c.view()
		next := &view{root: v.root.WithoutRetired(keys), state: v.state, snapState: v.snapState}
		if len(next.root.Retired) == len(v.root.Retired) {
			c.headMu.Unlock()
			return nil
		}
		_, err := c.swapRoot(ctx, v, next)
		c.headMu.Unlock()
		if !errors.Is(err, register.ErrConflict) {
			return err
		}
		if err := jitter(ctx, try); err != nil {
			return err
		}
		if _, err := c.Refresh(ctx); err != nil {
			return err
		}
	}
	return ErrConflict
}
