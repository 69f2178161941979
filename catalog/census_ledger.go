package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/internal/objstore"
)

// Ledger is the census's own view of a ledger: loaded when first needed, not again.
func (c *Census) Ledger(ctx context.Context, ref checkpoint.Ref) (checkpoint.Ledger, error) {
	if l, ok := c.ledgers[ref]; ok {
		return l, nil
	}
	l, _, err := c.reader.Ledger(ref).Load(ctx)
	if err != nil {
		return l, err
	}
	if len(c.ledgers) >= censusHeads {
		clear(c.ledgers)
	}
	c.ledgers[ref] = l
	return l, nil
}

// DropLedger forgets the view of a ledger, so that its head is read again.
func (c *Census) DropLedger(ref checkpoint.Ref) { delete(c.ledgers, ref) }

// checkpoint classes a ledger's head and the objects of its checkpoints.
func (c *Census) checkpoint(ctx context.Context, f Finding, o objstore.Info) (Finding, error) {
	ref, object, ok := checkpoint.ParseKey(o.Key)
	if !ok {
		return f.is(Foreign, "not the name of a checkpoint ledger or of its object"), nil
	}
	if _, known := c.reader.State().Agent(ref.Agent); !known {
		if err := c.refresh(ctx); err != nil {
			return f, err
		}
		if _, known = c.reader.State().Agent(ref.Agent); !known {
			return f.is(Foreign, "there is no agent %d", ref.Agent), nil
		}
	}
	if object == nil {
		return f.is(Live, "checkpoint ledger"), nil
	}
	f.Ledger, f.Object = &ref, *object
	l, err := c.Ledger(ctx, ref)
	if err != nil {
		return f, err
	}
	if s, live := l.Stored(*object); live {
		f = f.is(Live, "checkpoint")
		if o.Size != s.Bytes {
			f.Problem = fmt.Sprintf("it has %d bytes, the ledger says %d", o.Size, s.Bytes)
		}
		return f, nil
	}
	if at, retired := l.RetiredAt(*object); retired {
		if at.Time().Add(c.grace).After(c.now) {
			return f.is(Pending, "replaced, grace time runs"), nil
		}
		return f.is(Garbage, "replaced by a newer checkpoint"), nil
	}
	if l.ForgottenAt > 0 && l.ForgottenAt.Time().Add(c.grace).After(c.now) {
		return f.is(Pending, "perhaps replaced, grace time runs"), nil
	}
	f.Uncommitted = true
	if object.Incarnation < l.Incarnation {
		return f.is(Garbage, "never committed, incarnation %d is fenced by %d",
			object.Incarnation, l.Incarnation), nil
	}
	return f.is(Pending, "not committed, incarnation %d may do so", object.Incarnation), nil
}

// ledgers checks every ledger of every agent: its objects are there, and its partitions' manifests
// lead to it.
func (f *fsck) ledgers(ctx context.Context) error {
	for _, a := range f.reader.State().Agents() {
		for n := int32(0); ; n++ {
			ref := checkpoint.Ref{Agent: a.ID, Number: n}
			m := f.reader.Ledger(ref)
			l, exists, err := m.Load(ctx)
			if damaged(err) {
				f.report.problem(ref.HeadKey(), "%v", err)
				continue
			}
			if err != nil {
				return err
			}
			if !exists {
				break
			}
			if err := f.ledger(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fsck) ledger(ctx context.Context, l checkpoint.Ledger) error {
	for _, e := range l.Entries {
		if _, lives := f.reader.State().TopicByID(e.Topic); !lives {
			continue // its agent, or a sweep, drops it
		}
		f.report.Checkpoints++
		h, err := f.census.Manifest(e.TP()).cached(ctx)
		switch {
		case damaged(err): // named already
		case err != nil:
			return err
		case h.Checkpoint == nil:
			f.report.problem(l.HeadKey(), "the manifest of %s does not lead to its checkpoint", e.TP())
		}
	}
	if !f.opts.Deep && f.seenObjects[l.Ref] >= len(l.Objects) {
		return nil
	}
	for _, s := range l.Objects {
		key := l.ObjectKey(s.Object)
		info, err := f.store.Head(ctx, key)
		switch {
		case errors.Is(err, objstore.ErrNotFound):
			f.report.problem(key, "missing; %s needs it", l.HeadKey())
		case err != nil:
			return err
		case f.opts.Deep && info.Size != s.Bytes:
			f.report.problem(key, "it has %d bytes, the ledger says %d", info.Size, s.Bytes)
		case f.opts.Deep && info.HasCRC32C && info.CRC32C != s.CRC32C:
			f.report.problem(key, "its checksum is %08x, the ledger says %08x", info.CRC32C, s.CRC32C)
		}
	}
	return nil
}
