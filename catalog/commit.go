package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// batchMax bounds how many waiting commits share one swap.
const batchMax = 512

// commit is one call of Commit: changes that are taken or refused together.
type commit struct {
	changes []cluster.Change
	err     error // the refusal on the state tried last
	done    chan commitResult
}

type commitResult struct {
	state *cluster.State
	err   error
}

// Commit applies changes, all or none, to the newest state and returns a state that has them. A
// refusal is decided on the newest state and wraps a sentinel of catalog/cluster. After Register, a
// commit of a superseded incarnation is cluster.ErrSuperseded.
//
// When ctx ends first, or the store cannot say what became of the write, the error wraps
// ErrUnknownOutcome: the changes may be or may become committed.
func (c *Catalog) Commit(ctx context.Context, changes ...cluster.Change) (*cluster.State, error) {
	c.mu.Lock()
	if self := c.self; self.Incarnation != 0 {
		changes = append([]cluster.Change{self}, changes...)
	}
	c.mu.Unlock()
	return c.commit(ctx, changes)
}

// Register commits the registration of an agent together with more changes, typically StartLeading,
// and returns the registration. From then on every Commit is this incarnation's.
func (c *Catalog) Register(
	ctx context.Context, r cluster.RegisterAgent, more ...cluster.Change,
) (*cluster.Agent, error) {
	state, err := c.commit(ctx, append([]cluster.Change{r}, more...))
	if err != nil {
		return nil, err
	}
	a, ok := state.Agent(r.Agent.ID)
	if !ok || a.DiskUUID != r.Agent.DiskUUID {
		return nil, fmt.Errorf("register agent %d: %w at once", r.Agent.ID, cluster.ErrSuperseded)
	}
	c.mu.Lock()
	c.self = cluster.RequireIncarnation{Agent: a.ID, Incarnation: a.Incarnation}
	c.mu.Unlock()
	return a, nil
}

// AllocateProducerIDs commits the next block of producer ids for an agent and returns it: [Base,
// Next).
func (c *Catalog) AllocateProducerIDs(
	ctx context.Context, agent int32,
) (block cluster.ProducerIDRange, err error) {
	c.idsMu.Lock()
	defer c.idsMu.Unlock()
	state, err := c.Commit(ctx, cluster.AllocateProducerIDs{Agent: agent})
	if err != nil {
		return block, fmt.Errorf("allocate producer ids: %w", err)
	}
	a, ok := state.Agent(agent)
	if !ok || a.ProducerIDs.Next <= a.ProducerIDs.Base {
		return block, fmt.Errorf("allocate producer ids: %w %d", cluster.ErrUnknownAgent, agent)
	}
	return a.ProducerIDs, nil
}

// commit queues the changes and waits for the goroutine that swaps, which it starts if none runs.
func (c *Catalog) commit(ctx context.Context, changes []cluster.Change) (*cluster.State, error) {
	r := &commit{changes: changes, done: make(chan commitResult, 1)}
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return nil, ErrClosed
	case len(c.queue) >= QueueMax:
		c.mu.Unlock()
		return nil, ErrOverloaded
	}
	c.queue = append(c.queue, r)
	if !c.running {
		c.running = true
		c.work.Go(c.runCommits)
	}
	c.mu.Unlock()
	select {
	case res := <-r.done:
		return res.state, res.err
	case <-ctx.Done():
		return nil, fmt.Errorf("commit: %w: %w", ErrUnknownOutcome, ctx.Err())
	}
}

// runCommits commits batch after batch until nobody waits.
func (c *Catalog) runCommits() {
	for {
		c.mu.Lock()
		batch := c.queue[:min(len(c.queue), batchMax)]
		c.queue = c.queue[len(batch):]
		if len(batch) == 0 {
			c.queue, c.running = nil, false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		start := time.Now()
		state, err := c.commitBatch(batch)
		c.opts.Metrics.commitSeconds.Observe(time.Since(start).Seconds())
		for _, r := range batch {
			if r.err != nil {
				r.done <- commitResult{err: r.err}
			} else {
				r.done <- commitResult{state: state, err: err}
			}
		}
		c.snapshotIfDue()
	}
}

// commitBatch swaps the head until the batch is in, refused or given up. Refusals are left in the
// batch; the error is that of all others.
func (c *Catalog) commitBatch(batch []*commit) (*cluster.State, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.CommitTimeout)
	defer cancel()
	c.headMu.Lock()
	defer c.headMu.Unlock()
	fresh := false
	for try := range CommitTries {
		v := c.view()
		next, refused := applyBatch(v, batch)
		if refused && !fresh {
			// Only the newest state may refuse.
			if _, err := c.Refresh(ctx); err != nil {
				return nil, c.gaveUp(batch, err)
			}
			fresh = true
			continue
		}
		state, err := c.swapState(ctx, v, next)
		if !errors.Is(err, register.ErrConflict) {
			c.opts.Metrics.commits.WithLabelValues(outcome(err)).Inc()
			c.opts.Metrics.commitChanges.Add(float64(len(batch)))
			return state, err
		}
		c.opts.Metrics.conflicts.WithLabelValues("cluster").Inc()
		if err := jitter(ctx, try); err != nil {
			return nil, fmt.Errorf("commit: %w: %w", ErrConflict, err)
		}
		if _, err := c.Refresh(ctx); err != nil {
			return nil, err
		}
		fresh = true
	}
	return nil, fmt.Errorf("commit: %w: %d times in a row", ErrConflict, CommitTries)
}

// gaveUp is the error for a batch of which nothing was decided.
func (c *Catalog) gaveUp(batch []*commit, err error) error {
	for _, r := range batch {
		r.err = nil
	}
	return err
}

// applyBatch folds the batch over v's state; a refused commit is left out and keeps its reason.
func applyBatch(v *view, batch []*commit) (next *cluster.State, refused bool) {
	next = v.state
	for _, r := range batch {
		n, err := cluster.Apply(next, r.changes...)
		r.err = err
		if err != nil {
			refused = true
			continue
		}
		next = n
	}
	return next, refused
}

// swapState commits the difference between v and next. ErrConflict: v is not the newest.
func (c *Catalog) swapState(
	ctx context.Context, v *view, next *cluster.State,
) (*cluster.State, error) {
	delta, changed := cluster.Diff(v.state, next, v.head.Version+1)
	if !changed {
		return v.state, nil
	}
	state, err := v.state.Advance(delta)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	root, object, err := v.root.Append(delta, c.opts.NewUID())
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if object != nil {
		if err := putObject(ctx, c.store, *object); err != nil {
			return nil, fmt.Errorf("commit: write deltas: %w", err)
		}
	}
	return c.swapRoot(ctx, v, &view{root: root, state: state, snapState: v.snapState})
}

// swapRoot swaps the head of v for one with next's root and adopts next, or what followed it.
func (c *Catalog) swapRoot(ctx context.Context, v, next *view) (*cluster.State, error) {
	body, err := cluster.EncodeRoot(next.root)
	if err != nil {
		return nil, err
	}
	head, err := c.load.reg.SwapSettled(ctx, v.head, body)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if head.Version != v.head.Version+1 {
		// Others committed on top before we learned of our own.
		return c.Refresh(ctx)
	}
	next.head, next.state = head, next.state.AtVersion(head.Version)
	if err := c.adopt(next); err != nil {
		return nil, fmt.Errorf("commit: %w here, though it was written: %w", ErrUnknownOutcome, err)
	}
	return next.state, nil
}

// putTries bounds how often an immutable object is written.
const putTries = 4

// putObject writes an immutable object under a fresh name. A second try writes the same bytes.
func putObject(ctx context.Context, s objstore.Store, o cluster.Object) error {
	var err error
	for try := range putTries {
		if _, err = s.Put(ctx, o.Key, objstore.Bytes(o.Bytes), objstore.Condition{}); err == nil {
			return nil
		}
		if errors.Is(err, objstore.ErrDenied) || jitter(ctx, try) != nil {
			break
		}
	}
	return err
}

// jitter waits a random while that grows with try, up to about a second.
func jitter(ctx context.Context, try int) error {
	most := 10 * time.Millisecond << min(try, 7)
	t := time.NewTimer(most/4 + rand.N(most))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// milliseconds is a time as the catalog's objects hold it.
func milliseconds(t time.Time) kafka.Timestamp { return kafka.TimestampOf(t) }
