package gc

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// ledgers drops the checkpoints of deleted topics and deletes the objects that ledgers say are
// replaced.
func (w *sweep) ledgers(ctx context.Context) error {
	var errs []error
	for _, a := range w.reader.State().Agents() {
		saver, ok := w.saver(a)
		if !ok {
			continue
		}
		for n := int32(0); ctx.Err() == nil; n++ {
			exists, err := w.ledger(ctx, checkpoint.Ref{Agent: a.ID, Number: n}, saver.Incarnation)
			if err != nil {
				errs = append(errs, fmt.Errorf("ledger %d of agent %d: %w", n, a.ID, err))
				break
			}
			if !exists {
				break
			}
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// saver is the agent's, or that of a stopped cluster: the incarnation above the last one.
func (w *sweep) saver(a *cluster.Agent) (Saver, bool) {
	if s, ok := w.opts.Saves(a.ID); ok {
		return s, true
	}
	return Saver{Incarnation: a.Incarnation + 1}, w.opts.Stopped
}

func (w *sweep) ledger(
	ctx context.Context, ref checkpoint.Ref, incarnation int64,
) (exists bool, err error) {
	m := w.cat.Ledger(ref)
	l, exists, err := m.Load(ctx)
	if err != nil || !exists {
		return exists, err
	}
	if w.opts.Stopped {
		incarnation = max(incarnation, l.Incarnation)
	}
	dead, err := w.deadEntries(ctx, l)
	if err != nil {
		return true, err
	}
	if len(dead) > 0 && !w.dry {
		l, err = m.Edit(ctx, func(l checkpoint.Ledger) (checkpoint.Ledger, error) {
			return l.Drop(incarnation, dead, kafka.TimestampOf(w.now))
		})
		if err != nil {
			return true, err
		}
	}
	var gone []checkpoint.Object
	var ds []Deletion
	for _, r := range l.Retired {
		if !r.At.Time().Add(w.opts.Grace).After(w.now) {
			gone = append(gone, r.Object)
			ds = append(ds, Deletion{Key: ref.ObjectKey(r.Object), Why: "replaced by a newer checkpoint"})
		}
	}
	if err := w.delete(ctx, ds); err != nil || w.dry || len(gone) == 0 {
		return true, err
	}
	_, err = m.Edit(ctx, func(l checkpoint.Ledger) (checkpoint.Ledger, error) {
		return l.Swept(incarnation, gone)
	})
	return true, err
}

// deadEntries are those whose topic is gone, by a state that is newer than the ledger.
func (w *sweep) deadEntries(
	ctx context.Context, l checkpoint.Ledger,
) ([]kafka.TopicPartition, error) {
	find := func() (dead []kafka.TopicPartition) {
		for _, e := range l.Entries {
			if _, lives := w.reader.State().TopicByID(e.Topic); !lives {
				dead = append(dead, e.TP())
			}
		}
		return dead
	}
	if len(find()) == 0 {
		return nil, nil
	}
	if _, err := w.reader.Refresh(ctx); err != nil {
		return nil, err
	}
	return find(), nil
}

// unnamed decides about a checkpoint's object that its ledger does not name and whose incarnation is
// not fenced.
func (w *sweep) unnamed(
	ctx context.Context, f catalog.Finding, o objstore.Info,
) (catalog.Finding, error) {
	a, ok := w.reader.State().Agent(f.Ledger.Agent)
	if !ok {
		return f, nil
	}
	saver, ok := w.saver(a)
	switch {
	case !ok || f.Object.Incarnation > saver.Incarnation:
		return f, nil
	case f.Object.Incarnation < saver.Incarnation:
		return w.fenceLedger(ctx, f, o, saver.Incarnation)
	case saver.InFlight != nil && saver.InFlight(*f.Ledger, f.Object):
		return f, nil
	}
	// It was not in flight: if a head that is read now does not name it, none ever will.
	w.census.DropLedger(*f.Ledger)
	found, err := w.census.Class(ctx, o)
	if err == nil && found.Uncommitted && found.Class == catalog.Pending {
		found.Class, found.Why = catalog.Garbage, "never committed, its agent gave it up"
	}
	return found, err
}

// fenceLedger raises a ledger's incarnation to the saver's and looks again.
func (w *sweep) fenceLedger(
	ctx context.Context, f catalog.Finding, o objstore.Info, incarnation int64,
) (catalog.Finding, error) {
	if w.dry {
		f.Class, f.Why = catalog.Garbage, fmt.Sprintf("never committed, to be fenced by %d", incarnation)
		return f, nil
	}
	_, err := w.cat.Ledger(*f.Ledger).Edit(ctx,
		func(l checkpoint.Ledger) (checkpoint.Ledger, error) {
			return l.Fence(max(incarnation, l.Incarnation))
		})
	if err != nil {
		return f, err
	}
	w.sum.Fenced++
	w.census.DropLedger(*f.Ledger)
	return w.census.Class(ctx, o)
}
