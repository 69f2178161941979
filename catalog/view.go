package catalog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
)

// loadTries bounds how often a load begins anew because an object vanished under it.
const loadTries = 4

// view is one version of the cluster head with the state it stands for. It is immutable.
type view struct {
	head  register.Head
	root  cluster.Root
	state *cluster.State
	// snapState is the state of root.Snapshot, where this process loaded or wrote it; else nil.
	snapState *cluster.State
}

// loader reads views.
type loader struct {
	store objstore.Store
	reg   *register.Register
}

// load reads the newest view. prev, if not nil, is gone on from where possible. A head that was
// only settled and never committed is ErrNotFound; the view then has its head.
func (l loader) load(ctx context.Context, prev *view) (*view, error) {
	for try := 1; ; try++ {
		v, err := l.loadOnce(ctx, prev)
		if !errors.Is(err, errVanished) || try >= loadTries {
			return v, err
		}
	}
}

// errVanished: the head named an object that is gone, so a newer head must be there.
var errVanished = errors.New("object vanished while it was read")

func (l loader) loadOnce(ctx context.Context, prev *view) (*view, error) {
	head, err := l.reg.Read(ctx)
	if err != nil {
		if prev != nil && errors.Is(err, register.ErrNotFound) {
			return nil, fmt.Errorf("%w: %w", ErrRolledBack, err)
		}
		return nil, err
	}
	if prev != nil && head.ETag == prev.head.ETag {
		return prev, nil
	}
	if head.Body == nil {
		return &view{head: head}, fmt.Errorf("read cluster head: %w", register.ErrNotFound)
	}
	root, err := cluster.DecodeRoot(head.Body)
	if err != nil {
		return nil, fmt.Errorf("read cluster head: %w", err)
	}
	if prev != nil {
		err := admits(prev.root.ClusterID, prev.head.Version, root.ClusterID, head.Version)
		if err != nil {
			return nil, err
		}
	}
	v := &view{head: head, root: root}
	return v, l.fill(ctx, v, prev)
}

// admits refuses a head of another cluster or an older one than was seen.
func admits(seenID string, seen int64, id string, version int64) error {
	if seenID != "" && seenID != id {
		return fmt.Errorf("%w: it is %s, this agent's data directory belongs to %s; check --store and "+
			"--data-dir", ErrForeign, id, seenID)
	}
	if version < seen {
		return fmt.Errorf("%w: version %d, it saw %d; if the bucket was restored on purpose, start "+
			"every agent on an empty data directory", ErrRolledBack, version, seen)
	}
	return nil
}

// fill loads the state of v's root, from prev's state or from the snapshot on.
func (l loader) fill(ctx context.Context, v, prev *view) error {
	onwards := prev != nil && v.root.Follows(prev.state.Changed)
	var changed int64
	if onwards {
		changed = prev.state.Changed
	}
	var pages []cluster.Delta
	deltas := make([][]cluster.Delta, len(v.root.Deltas))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(LoadParallel)
	if !onwards {
		pages = make([]cluster.Delta, len(v.root.Snapshot.Pages))
		for i, p := range v.root.Snapshot.Pages {
			g.Go(func() (err error) {
				pages[i], err = readObject(ctx, l.store, p.Key(), cluster.DecodePage)
				return err
			})
		}
	}
	for i, d := range v.root.Deltas {
		if d.To <= changed {
			continue
		}
		g.Go(func() (err error) {
			deltas[i], err = readObject(ctx, l.store, d.Key(), cluster.DecodeDeltas)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if onwards {
		v.state, v.snapState = prev.state, nil
		if prev.root.Snapshot.Changed == v.root.Snapshot.Changed {
			v.snapState = prev.snapState
		}
	} else {
		s, err := cluster.FromSnapshot(v.root.ClusterID, v.root.Snapshot.Changed, pages)
		if err != nil {
			return fmt.Errorf("read cluster snapshot: %w", err)
		}
		v.state, v.snapState = s, s
	}
	return v.advance(append(deltas, v.root.Inline))
}

func (v *view) advance(runs [][]cluster.Delta) error {
	var err error
	for _, run := range runs {
		for _, d := range run {
			if v.state, err = v.state.Advance(d); err != nil {
				return fmt.Errorf("read cluster deltas: %w", err)
			}
		}
	}
	if v.state.Changed != v.root.Changed {
		return fmt.Errorf("read cluster deltas: %w: they end at version %d, the head says %d",
			cluster.ErrCorrupt, v.state.Changed, v.root.Changed)
	}
	v.state = v.state.AtVersion(v.head.Version)
	return nil
}

func readObject[T any](
	ctx context.Context, s objstore.Store, key string, decode func([]byte) (T, error),
) (T, error) {
	var none T
	raw, _, err := objstore.ReadAll(ctx, s, key, cluster.ObjectBytesMax)
	if errors.Is(err, objstore.ErrNotFound) {
		return none, fmt.Errorf("%w: %w", errVanished, err)
	}
	if err != nil {
		return none, fmt.Errorf("read catalog: %w", err)
	}
	v, err := decode(raw)
	if err != nil {
		return none, fmt.Errorf("read %s: %w", key, err)
	}
	return v, nil
}
