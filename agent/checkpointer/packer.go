package checkpointer

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/internal/objstore"
)

// objectBytesMax is the size at which an object is put; the part that reaches it is the last in it.
const objectBytesMax = 32 << 20

// packer puts pieces into objects of one ledger, in their order.
type packer struct {
	c   *Checkpointer
	ref checkpoint.Ref

	object checkpoint.Object // that data will be
	data   []byte
	stored []checkpoint.Stored
}

// add gives the piece its place; the object is put once it is full.
func (p *packer) add(ctx context.Context, piece piece) (checkpoint.Part, error) {
	if len(p.data) == 0 {
		p.object = p.c.newObject(p.ref)
	}
	part := piece.part
	part.Object, part.Position = p.object, int64(len(p.data))
	p.data = append(append(p.data, piece.data...), piece.footer...)
	if len(p.data) >= objectBytesMax {
		return part, p.flush(ctx)
	}
	return part, nil
}

// flush puts what is packed and has the store tell that it is there.
func (p *packer) flush(ctx context.Context) error {
	if len(p.data) == 0 {
		return nil
	}
	key, body := p.ref.ObjectKey(p.object), objstore.Bytes(p.data)
	p.c.metrics.objects.Inc()
	if _, err := p.c.store.Put(ctx, key, body, objstore.Condition{}); err != nil {
		return fmt.Errorf("put checkpoint object: %w", err)
	}
	if err := p.verify(ctx, key, body); err != nil {
		return fmt.Errorf("verify checkpoint object: %w", err)
	}
	p.c.metrics.bytes.Add(float64(body.Size))
	p.stored = append(p.stored, checkpoint.Stored{
		Object: p.object, Bytes: body.Size, CRC32C: body.CRC32C,
	})
	p.data = nil
	return nil
}

// verify is ErrVerify when the store has no such object, or another. A store that keeps no checksums
// is asked for the bytes.
func (p *packer) verify(ctx context.Context, key string, body objstore.Body) error {
	info, err := p.c.store.Head(ctx, key)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return fmt.Errorf("%w: object %s does not exist", ErrVerify, key)
	case err != nil:
		return err
	case info.Size != body.Size:
		return fmt.Errorf("%w: object %s has %d bytes, put were %d", ErrVerify, key, info.Size, body.Size)
	case info.HasCRC32C && info.CRC32C != body.CRC32C:
		return fmt.Errorf("%w: object %s has checksum %08x, put was %08x",
			ErrVerify, key, info.CRC32C, body.CRC32C)
	case info.HasCRC32C:
		return nil
	}
	raw, _, err := objstore.ReadAll(ctx, p.c.store, key, body.Size)
	if err == nil && objstore.Checksum(raw) != body.CRC32C {
		err = fmt.Errorf("%w: object %s has other bytes than were put", ErrVerify, key)
	}
	return err
}

// newObject names the next object of this process and notes that it may be named by its ledger.
func (c *Checkpointer) newObject(ref checkpoint.Ref) checkpoint.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sequence++
	o := checkpoint.Object{Incarnation: c.cfg.Incarnation, Sequence: c.sequence}
	if c.inFlight[ref] == nil {
		c.inFlight[ref] = map[checkpoint.Object]flight{}
	}
	c.inFlight[ref][o] = underWay
	return o
}

// flight is what may become of an object that no ledger names yet.
type flight int

const (
	// underWay: a save that holds it goes on.
	underWay flight = iota
	// undecided: the edit that names it may still happen, until another edit of the ledger did.
	undecided
)

// land forgets the objects of a save that ended: named, or given up for good. With unknown set its
// edit may still happen, so they stay undecided until another edit has succeeded.
func (c *Checkpointer) land(p *packer, edited, unknown bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	flying := c.inFlight[p.ref]
	mine := func(o checkpoint.Object) bool {
		return o == p.object || containsObject(p.stored, o)
	}
	for o, f := range flying {
		switch {
		case mine(o) && unknown:
			flying[o] = undecided
		case mine(o), f == undecided && edited:
			delete(flying, o)
		}
	}
}

func containsObject(all []checkpoint.Stored, o checkpoint.Object) bool {
	for _, s := range all {
		if s.Object == o {
			return true
		}
	}
	return false
}

// InFlight reports whether an object of a ledger is being put or may yet be named: a sweep by this
// agent leaves it alone (compaction/gc).
func (c *Checkpointer) InFlight(ref checkpoint.Ref, o checkpoint.Object) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.inFlight[ref][o]
	return ok
}
