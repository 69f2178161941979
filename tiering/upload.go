package tiering

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// attempt remembers the name under which a sealed form was put, so that trying again after a
// failure puts the same bytes under the same name and leaves no second object behind.
type attempt struct {
	id     segment.ID
	crc32c uint32
	uid    string
}

// seal uploads one rolled segment, or what of it is not sealed yet, and commits it.
func (s *Sealer) seal(ctx context.Context, p *part, head manifest.Head, r Rolled) error {
	began := s.now()
	s.setUploading(p, r)
	base := max(r.BaseOffset, head.SealedEnd())
	sealed, file, err := s.sealedForm(p, r, base)
	if err != nil {
		return fmt.Errorf("seal segment %s: %w", r.Range(), err)
	}
	defer func() { _ = file.Close() }() // it was only read
	e := entryOf(sealed)
	e.UID = p.attempt.name(sealed)
	s.noteInFlight(p, e.UID)
	if err := s.put(ctx, p, e, sealed); err != nil {
		return fmt.Errorf("upload segment %s: %w", e.Range(), err)
	}
	add := &manifest.Segment{Entry: e, Epochs: sealed.Meta.Epochs}
	if err := s.commit(ctx, p, add); err != nil {
		return fmt.Errorf("commit segment %s: %w", e.Range(), err)
	}
	p.attempt = attempt{}
	s.settleInFlight(p)
	s.metrics.sealedSegments.Inc()
	s.metrics.sealedBytes.Add(float64(e.Bytes))
	s.metrics.sealSeconds.Observe(s.now().Sub(began).Seconds())
	s.metrics.lagSeconds.Observe(s.now().Sub(r.RolledAt).Seconds())
	s.logger.Debug("segment sealed", "topic", p.log.Topic(), "partition", p.tp.Partition,
		"base_offset", e.BaseOffset, "leader_epoch", e.LeaderEpoch, "object", e.Key(p.tp))
	return nil
}

func (s *Sealer) setUploading(p *part, r Rolled) {
	rng := r.Range()
	s.mu.Lock()
	p.uploading = &rng
	s.mu.Unlock()
}

// UploadInFlight reports whether an object with that unique part of its key is being uploaded or
// may yet be committed: a sweep by this leader leaves it alone (compaction/gc).
func (s *Sealer) UploadInFlight(tp kafka.TopicPartition, uid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[tp]
	if p == nil {
		return false
	}
	_, ok := p.inFlight[uid]
	return ok
}

func (s *Sealer) noteInFlight(p *part, uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.inFlight == nil {
		p.inFlight = map[string]struct{}{}
	}
	p.inFlight[uid] = struct{}{}
}

// settleInFlight forgets all attempts: an edit was committed, so that whatever edit before it had
// an unknown outcome is decided. At most one name is added between two of these, but for a segment
// whose sealed form changed between tries.
func (s *Sealer) settleInFlight(p *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.inFlight = nil
}

// commit adds the segment. An edit whose outcome is unknown happened if the manifest, read again,
// holds the entry.
func (s *Sealer) commit(ctx context.Context, p *part, add *manifest.Segment) error {
	_, err := s.edit(ctx, p, add)
	if err == nil || !errors.Is(err, objstore.ErrUnknownOutcome) {
		return err
	}
	head, loadErr := p.log.Manifest().Load(ctx)
	if loadErr != nil {
		return errors.Join(err, loadErr)
	}
	if slices.Contains(head.Tail, add.Entry) {
		return nil
	}
	return err
}

// sealedForm computes the sealed form of a rolled segment from base on, over its pinned local file,
// which the caller closes.
func (s *Sealer) sealedForm(
	p *part, r Rolled, base kafka.Offset,
) (_ *segment.Sealed, _ SegmentFile, err error) {
	l := p.log
	file, err := l.OpenSegment(r.BaseOffset)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close() // it was only read
		}
	}()
	var data io.ReaderAt = file
	size := file.Size()
	if base > r.BaseOffset {
		from, err := positionOf(file, size, base, r.Cleaned)
		if err != nil {
			return nil, nil, err
		}
		data, size = io.NewSectionReader(file, from, size-from), size-from
	}
	within := kafka.OffsetRange{Base: base, Next: r.NextOffset}
	o, err := s.writeOptions(l, within)
	if err != nil {
		return nil, nil, err
	}
	o.Gaps = r.Cleaned
	id := segment.ID{
		Topic: p.tp.Topic, Partition: p.tp.Partition, BaseOffset: base, LeaderEpoch: l.LeaderEpoch(),
	}
	sealed, err := segment.Seal(data, size, id, o)
	if err != nil {
		return nil, nil, err
	}
	if sealed.Meta.NextOffset != r.NextOffset {
		return nil, nil, fmt.Errorf("its file ends at offset %d: %w",
			sealed.Meta.NextOffset, segment.ErrCorrupt)
	}
	return sealed, file, nil
}

func (s *Sealer) writeOptions(l Log, r kafka.OffsetRange) (segment.WriteOptions, error) {
	producers, err := l.ProducersAt(r.Next)
	if err != nil {
		return segment.WriteOptions{}, fmt.Errorf("producer state at %d: %w", r.Next, err)
	}
	aborted, err := l.AbortedIn(r)
	if err != nil {
		return segment.WriteOptions{}, fmt.Errorf("aborted transactions of %s: %w", r, err)
	}
	return segment.WriteOptions{
		Epochs: epochsWithin(l.Epochs(), r), Aborted: aborted, Producers: producers,
		Cluster: s.cfg.Cluster,
	}, nil
}

// put uploads the object, streamed from the local file.
func (s *Sealer) put(ctx context.Context, p *part, e manifest.Entry, sealed *segment.Sealed) error {
	s.metrics.uploads.Inc()
	_, err := s.store.Put(ctx, e.Key(p.tp), objstore.Body{
		Reader: s.limiter.limit(ctx, sealed.Body()), Size: sealed.Size(),
		CRC32C: sealed.CRC32C, HasCRC32C: true,
	}, objstore.Condition{})
	if err != nil {
		s.metrics.uploadFailures.Inc()
	}
	return err
}

// name gives the unique part of the object's key: the one of the attempt before if its bytes were
// the same.
func (a *attempt) name(sealed *segment.Sealed) string {
	if a.uid == "" || a.id != sealed.Meta.ID || a.crc32c != sealed.CRC32C {
		var random [12]byte
		_, _ = rand.Read(random[:]) // never fails, as documented since Go 1.24
		*a = attempt{sealed.Meta.ID, sealed.CRC32C, hex.EncodeToString(random[:])}
	}
	return a.uid
}

func entryOf(sealed *segment.Sealed) manifest.Entry {
	m := sealed.Meta
	return manifest.Entry{
		BaseOffset: m.ID.BaseOffset, NextOffset: m.NextOffset, LeaderEpoch: m.ID.LeaderEpoch,
		Bytes: sealed.Size(), DataBytes: m.DataBytes, FooterBytes: m.FooterBytes,
		CRC32C: sealed.CRC32C, Records: m.Records, Batches: m.Batches,
		MinTimestamp: m.MinTimestamp, MaxTimestamp: m.MaxTimestamp, Format: m.FormatVersion,
	}
}

// positionOf finds where the batch begins, in a segment file, that has a base offset or, where
// offsets are missing, follows it, by walking the headers.
func positionOf(f io.ReaderAt, size int64, base kafka.Offset, gaps bool) (int64, error) {
	const sizeEnd = 12 // base offset, then the length of what follows
	var head [sizeEnd]byte
	for at := int64(0); at+record.HeaderSize <= size; {
		if _, err := f.ReadAt(head[:], at); err != nil {
			return 0, err
		}
		o := kafka.Offset(binary.BigEndian.Uint64(head[:]))
		if o == base || o > base && gaps {
			return at, nil
		}
		length := int64(int32(binary.BigEndian.Uint32(head[8:])))
		if o > base || length <= 0 {
			break
		}
		at += sizeEnd + length
	}
	return 0, fmt.Errorf("no batch begins at offset %d: %w", base, segment.ErrCorrupt)
}
