package tiering

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

// check asks the store for every committed object that is not verified yet, in order, and moves
// checkedEnd past those that are as they were committed. The next edit records it. Entries that are
// not verified are always in the head's tail.
func (s *Sealer) check(ctx context.Context, p *part, head manifest.Head) error {
	p.checkedEnd = max(p.checkedEnd, head.VerifiedEnd)
	for _, e := range head.Tail {
		if e.NextOffset <= p.checkedEnd {
			continue
		}
		if e.NextOffset > head.LogStartOffset { // expired ones may be swept already
			if err := s.checkObject(ctx, p, e); err != nil {
				return fmt.Errorf("verify segment %s: %w", e.Range(), err)
			}
		}
		p.checkedEnd = e.NextOffset
	}
	return nil
}

// checkObject holds an object against its entry, and puts it again from the local copy where it is
// missing or differs.
func (s *Sealer) checkObject(ctx context.Context, p *part, e manifest.Entry) error {
	err := s.compare(ctx, p, e)
	if !errors.Is(err, ErrVerify) {
		return err
	}
	s.metrics.verifyFailures.Inc()
	s.logger.Error("sealed object is not as committed, putting it again", "topic", p.log.Topic(),
		"partition", p.tp.Partition, "base_offset", e.BaseOffset, "object", e.Key(p.tp), "err", err)
	if repairErr := s.repair(ctx, p, e); repairErr != nil {
		return errors.Join(err, repairErr)
	}
	return s.compare(ctx, p, e)
}

// compare is ErrVerify when the object is missing or is not what the entry says, by the store's own
// size and checksum. A store without checksums is asked for the footer instead.
func (s *Sealer) compare(ctx context.Context, p *part, e manifest.Entry) error {
	key := e.Key(p.tp)
	info, err := s.store.Head(ctx, key)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return fmt.Errorf("%w: object %s does not exist", ErrVerify, key)
	case err != nil:
		return err
	case info.Size != e.Bytes:
		return fmt.Errorf("%w: object %s has %d bytes, committed were %d",
			ErrVerify, key, info.Size, e.Bytes)
	case info.HasCRC32C && info.CRC32C != e.CRC32C:
		return fmt.Errorf("%w: object %s has checksum %08x, committed was %08x",
			ErrVerify, key, info.CRC32C, e.CRC32C)
	case info.HasCRC32C:
		return nil
	}
	return s.compareFooter(ctx, p.tp, e)
}

func (s *Sealer) compareFooter(
	ctx context.Context, tp kafka.TopicPartition, e manifest.Entry,
) error {
	object := cache.Object{Key: e.Key(tp), Size: e.Bytes}
	tail := make([]byte, e.FooterBytes)
	if err := (cache.Direct{Store: s.store}).ReadRange(ctx, object, tail, e.DataBytes); err != nil {
		return err
	}
	footer, err := cache.ParseFooter(tail, object)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVerify, err)
	}
	m := footer.Meta()
	if m.ID.BaseOffset != e.BaseOffset || m.NextOffset != e.NextOffset || m.DataBytes != e.DataBytes {
		return fmt.Errorf("%w: footer of %s holds offsets %d to %d", ErrVerify, object.Key,
			m.ID.BaseOffset, m.NextOffset)
	}
	return nil
}

// repair puts the object of a committed entry again, if the local copy still gives the very bytes
// that were committed.
func (s *Sealer) repair(ctx context.Context, p *part, e manifest.Entry) error {
	for _, r := range p.log.Rolled() {
		if r.NextOffset != e.NextOffset || r.BaseOffset > e.BaseOffset {
			continue
		}
		sealed, file, err := s.sealedForm(p, r, e.BaseOffset)
		if err != nil {
			return fmt.Errorf("seal again: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		if sealed.CRC32C != e.CRC32C || sealed.Size() != e.Bytes {
			return fmt.Errorf("local copy of %s differs from what was committed: %w",
				e.Range(), segment.ErrCorrupt)
		}
		return s.put(ctx, p, e, sealed)
	}
	return fmt.Errorf("no local copy of %s to put again", e.Range())
}
