package checkpointer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
)

// editsMax bounds manifests that are edited at once.
const editsMax = 8

// save is what a round does about one log: name new parts, or forget the checkpoint.
type save struct {
	t    *tracked
	job  job
	drop bool
}

// assign finds the ledger of each log, and has its manifest name it before anything is saved there.
// Logs that fail, or have nothing to do with any ledger, are done.
func (c *Checkpointer) assign(
	ctx context.Context, batch []*tracked,
) map[checkpoint.Ref][]*tracked {
	var mu sync.Mutex
	out := map[checkpoint.Ref][]*tracked{}
	var group errgroup.Group
	group.SetLimit(editsMax)
	for _, t := range batch {
		ref, name, err := c.ledgerOf(ctx, t)
		switch {
		case err != nil:
			c.done(ctx, t, 0, fmt.Errorf("find its ledger: %w", err))
			continue
		case ref == nil:
			c.done(ctx, t, 0, nil)
			continue
		}
		group.Go(func() error {
			if name {
				if err := c.nameLedger(ctx, t, *ref); err != nil {
					c.done(ctx, t, 0, err)
					return nil
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out[*ref] = append(out[*ref], t)
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	return out
}

// ledgerOf is the ledger that a log's checkpoint is in, or is to be in; nil for a log that has none
// and needs none. name says that the manifest does not say so yet. A manifest that names the ledger
// of another agent goes on to do so until this one has saved.
func (c *Checkpointer) ledgerOf(
	ctx context.Context, t *tracked,
) (ref *checkpoint.Ref, name bool, err error) {
	h, known := t.log.Manifest().Head()
	if !known {
		if h, err = t.log.Manifest().Load(ctx); err != nil {
			return nil, false, err
		}
	}
	ours := h.Checkpoint != nil && h.Checkpoint.Agent == c.cfg.Agent
	if !t.log.Compacted() {
		if !ours {
			return nil, false, nil
		}
		return h.Checkpoint, false, nil
	}
	if ours {
		v, err := c.ledger(ctx, *h.Checkpoint)
		if err != nil {
			return nil, false, err
		}
		if _, there := v.Entry(t.tp); there || v.HasRoom() {
			return h.Checkpoint, false, nil
		}
	}
	r, err := c.roomFor(ctx, t.tp)
	return &r, ours || h.Checkpoint == nil, err
}

// ledger is the newest value known of a ledger.
func (c *Checkpointer) ledger(
	ctx context.Context, ref checkpoint.Ref,
) (checkpoint.Ledger, error) {
	l := c.catalog.Ledger(ref)
	if v, known := l.Known(); known {
		return v, nil
	}
	v, _, err := l.Load(ctx)
	return v, err
}

// roomFor gives the ledger of this agent that has the partition, or the first one with room.
func (c *Checkpointer) roomFor(
	ctx context.Context, tp kafka.TopicPartition,
) (checkpoint.Ref, error) {
	if c.ledgers == nil {
		if err := c.countLedgers(ctx); err != nil {
			return checkpoint.Ref{}, err
		}
	}
	free := len(c.ledgers)
	for n, partitions := range c.ledgers {
		ref := checkpoint.Ref{Agent: c.cfg.Agent, Number: int32(n)}
		v, err := c.ledger(ctx, ref)
		if err != nil {
			return ref, err
		}
		if _, there := v.Entry(tp); there {
			return ref, nil
		}
		if max(partitions, len(v.Entries)) < checkpoint.EntriesMax {
			free = min(free, n)
		}
	}
	if free == len(c.ledgers) {
		c.ledgers = append(c.ledgers, 0)
	}
	c.ledgers[free]++
	return checkpoint.Ref{Agent: c.cfg.Agent, Number: int32(free)}, nil
}

// countLedgers loads the ledgers of this agent, which are numbered without a gap.
func (c *Checkpointer) countLedgers(ctx context.Context) error {
	counts := []int{}
	for n := int32(0); ; n++ {
		v, exists, err := c.catalog.Ledger(checkpoint.Ref{Agent: c.cfg.Agent, Number: n}).Load(ctx)
		if err != nil {
			return err
		}
		if !exists {
			c.ledgers = counts
			return nil
		}
		counts = append(counts, len(v.Entries))
	}
}

func (c *Checkpointer) nameLedger(ctx context.Context, t *tracked, ref checkpoint.Ref) error {
	epoch := t.log.LeaderEpoch()
	_, err := t.log.Manifest().Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		return h.NameLedger(ref, epoch)
	})
	if err != nil {
		return fmt.Errorf("name its ledger in the manifest: %w", err)
	}
	return nil
}

// planAll finds out what is to be saved of logs of one ledger. Those with nothing to save are done.
func (c *Checkpointer) planAll(
	ctx context.Context, ref checkpoint.Ref, ts []*tracked,
) (small, large []save) {
	v, err := c.ledger(ctx, ref)
	for _, t := range ts {
		if err != nil {
			c.done(ctx, t, 0, err)
			continue
		}
		s, end, needed := c.plan(t, v)
		switch {
		case !needed:
			c.done(ctx, t, end, nil)
		case !s.drop && t.log.BytesFrom(s.job.from) > checkpoint.PartSourceMax:
			large = append(large, s)
		default:
			small = append(small, s)
		}
	}
	return small, large
}

// plan decides from where on a log is saved. Where nothing is to be done, end is what is saved.
func (c *Checkpointer) plan(t *tracked, v checkpoint.Ledger) (s save, end kafka.Offset, needed bool) {
	e, has := v.Entry(t.tp)
	if !t.log.Compacted() {
		return save{t: t, drop: true}, e.EndOffset(), has && t.log.SealedElsewhere(e.EndOffset())
	}
	stable, start := t.log.Stable(), t.log.StartOffset()
	fits := e.EndOffset() <= stable.EndOffset && sameEpochs(e, stable.Epochs)
	if stable.EndOffset <= start || fits && e.EndOffset() == stable.EndOffset {
		return s, e.EndOffset(), false
	}
	complete, _ := t.log.Cleaned()
	from := start
	if fits {
		from = checkpoint.Plan(e.Parts, checkpoint.Log{
			StartOffset: start, EndOffset: stable.EndOffset, CompleteFrom: complete,
			Bytes: t.log.SizeBytes(), NewBytes: t.log.BytesFrom(e.EndOffset()),
		})
	}
	return save{t: t, job: job{
		log: t.log, from: from, whole: from <= start, stable: stable,
	}}, 0, true
}

// sameEpochs reports whether an entry and a log agree on the leader epochs below the entry's end, as
// far as both know them.
func sameEpochs(e checkpoint.Entry, log []kafka.EpochStart) bool {
	log = below(log, e.EndOffset())
	for i := 1; i <= min(len(log), len(e.Epochs)); i++ {
		a, b := log[len(log)-i], e.Epochs[len(e.Epochs)-i]
		first := i == len(log) || i == len(e.Epochs) // where the history begins, it may be cut
		if a.Epoch != b.Epoch || a.StartOffset != b.StartOffset && !first {
			return false
		}
	}
	return true
}

// saveLarge saves one log beside the rounds, so that the others do not wait for it. There is one such
// save at a time: another log waits for its turn.
func (c *Checkpointer) saveLarge(ctx context.Context, ref checkpoint.Ref, s save) {
	c.mu.Lock()
	taken := c.large != nil
	if !taken {
		c.large = s.t
	}
	c.mu.Unlock()
	if taken {
		c.putBack(s.t)
		return
	}
	go c.save(ctx, ref, []save{s})
}

// save builds, puts and names what is new of some logs of one ledger.
func (c *Checkpointer) save(ctx context.Context, ref checkpoint.Ref, todo []save) {
	if len(todo) == 0 {
		return
	}
	p := &packer{c: c, ref: ref}
	built, news, err := c.build(ctx, p, todo)
	if err == nil {
		err = p.flush(ctx)
	}
	edited := false
	for err == nil && len(built) > 0 {
		err = c.name(ctx, p, built, news)
		var refused *checkpoint.PartitionError
		if err == nil || !errors.As(err, &refused) {
			edited = err == nil
			break
		}
		// The others are saved without it.
		for i, s := range built {
			if s.t.tp == refused.TP {
				c.done(ctx, s.t, 0, err)
				built = append(built[:i:i], built[i+1:]...)
				break
			}
		}
		delete(news, refused.TP)
		err = nil
	}
	c.land(p, edited, errors.Is(err, catalog.ErrUnknownOutcome))
	for _, s := range built {
		end := s.job.stable.EndOffset
		if s.drop {
			end = 0
		}
		failed := err
		if failed == nil {
			failed = c.repoint(ctx, s, ref)
		}
		if failed == nil {
			c.metrics.saves.Inc()
		}
		c.done(ctx, s.t, end, failed)
	}
}

// build makes and packs the parts. A log that cannot be read is done, with its error; one that the
// store keeps from being put is an error for all.
func (c *Checkpointer) build(
	ctx context.Context, p *packer, todo []save,
) (built []save, news map[kafka.TopicPartition]checkpoint.Save, err error) {
	b := newBuilder(c.cfg, c.now())
	news = map[kafka.TopicPartition]checkpoint.Save{}
	for _, s := range todo {
		if s.drop || err != nil {
			built = append(built, s)
			continue
		}
		n := checkpoint.Save{
			TP: s.t.tp, TopicName: s.t.log.Topic(), LeaderEpoch: s.t.log.LeaderEpoch(),
			StartOffset: s.t.log.StartOffset(),
			Epochs:      below(s.job.stable.Epochs, s.job.stable.EndOffset),
		}
		if s.job.whole {
			n.StartOffset = s.job.from
		}
		var putErr error
		buildErr := b.build(s.job, func(piece piece) error {
			part, err := p.add(ctx, piece)
			putErr = err
			n.Parts = append(n.Parts, part)
			return errors.Join(err, ctx.Err())
		})
		if buildErr == nil {
			buildErr = stillHolds(s.job)
		}
		if err = putErr; err == nil && buildErr != nil {
			c.done(ctx, s.t, 0, buildErr)
			continue
		}
		built = append(built, s)
		news[s.t.tp] = n
	}
	return built, news, err
}

// stillHolds reports whether a cleaning of the log, while it was read, has left what was read a true
// image of the log at the job's end.
func stillHolds(j job) error {
	complete, end := j.log.Cleaned()
	if end > j.stable.EndOffset || complete > j.from && !j.whole {
		return fmt.Errorf("%w: up to %d", ErrMoved, end)
	}
	return nil
}

// name swaps the ledger for one that names what was put.
func (c *Checkpointer) name(
	ctx context.Context, p *packer, built []save, news map[kafka.TopicPartition]checkpoint.Save,
) error {
	now, err := c.catalog.StoreNow(ctx)
	if err != nil {
		return err
	}
	var saves []checkpoint.Save
	var drops []kafka.TopicPartition
	for _, s := range built {
		if s.drop {
			drops = append(drops, s.t.tp)
		} else {
			saves = append(saves, news[s.t.tp])
		}
	}
	at := kafka.TimestampOf(now)
	_, err = c.catalog.Ledger(p.ref).Edit(ctx,
		func(l checkpoint.Ledger) (checkpoint.Ledger, error) {
			l, err := l.Save(c.cfg.Incarnation, saves, p.stored, at)
			if err != nil {
				return l, err
			}
			return l.Drop(c.cfg.Incarnation, drops, at)
		})
	return err
}

// repoint has the manifest name this ledger where it still names another agent's.
func (c *Checkpointer) repoint(ctx context.Context, s save, ref checkpoint.Ref) error {
	h, known := s.t.log.Manifest().Head()
	if s.drop || known && h.Checkpoint != nil && *h.Checkpoint == ref {
		return nil
	}
	return c.nameLedger(ctx, s.t, ref)
}
