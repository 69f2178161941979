package checkpointer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// Sizes of building.
const (
	readBytes = 1 << 20
	keysLoad  = 0.9
	// retentionMax keeps a delete horizon within a Duration from the epoch.
	retentionMax = 100 * 365 * 24 * time.Hour
)

// piece is a part that was built, with its bytes.
type piece struct {
	part   checkpoint.Part // without Object and Position
	data   []byte
	footer []byte
}

// builder makes parts of logs, one at a time. It keeps its memory.
type builder struct {
	cluster string
	now     time.Time
	keys    *keys.Map
	window  []byte
	seen    map[kafka.ProducerID]bool // that wrote since the first part's base
}

func newBuilder(c Config, now time.Time) *builder {
	return &builder{cluster: c.Cluster, now: now, keys: keys.NewMap(c.KeysBytesMax, keysLoad)}
}

// job is one log to be saved from an offset on.
type job struct {
	log    Log
	from   kafka.Offset
	whole  bool // from the log's start
	stable Stable
}

// build makes the parts of a job in order and gives each to emit. The last one carries the state of
// all producers that wrote at or above the job's first offset, or of all if it is whole.
func (b *builder) build(j job, emit func(piece) error) error {
	b.seen = map[kafka.ProducerID]bool{}
	for at := j.from; at < j.stable.EndOffset; {
		p, err := b.piece(j, at)
		if err != nil {
			return fmt.Errorf("compact offsets from %d: %w", at, err)
		}
		if err := emit(p); err != nil {
			return err
		}
		at = p.part.NextOffset
	}
	return nil
}

// piece makes the part that begins at an offset.
func (b *builder) piece(j job, at kafka.Offset) (piece, error) {
	end := j.stable.EndOffset
	aborted := j.log.AbortedIn(kafka.OffsetRange{Base: at, Next: end})
	first, next, source, err := b.index(j.log, aborted, at, end)
	if err != nil {
		return piece{}, err
	}
	data, err := b.filter(j.log, aborted, at, next)
	if err != nil {
		return piece{}, err
	}
	r := kafka.OffsetRange{Base: first, Next: next}
	o := segment.WriteOptions{
		Gaps: true, Epochs: epochsWithin(j.stable.Epochs, r), Cluster: b.cluster,
		Aborted: j.log.AbortedIn(kafka.OffsetRange{Base: at, Next: next}),
	}
	if next == end {
		o.Producers = b.producers(j)
	}
	id := segment.ID{
		Topic: j.log.TP().Topic, Partition: j.log.TP().Partition, BaseOffset: first,
		LeaderEpoch: j.log.LeaderEpoch(),
	}
	sealed, err := segment.Seal(bytes.NewReader(data), int64(len(data)), id, o)
	if err != nil {
		return piece{}, err
	}
	return piece{
		part: checkpoint.Part{
			DataBytes: int64(len(data)), FooterBytes: int64(len(sealed.Footer)), CRC32C: sealed.CRC32C,
			BaseOffset: at, NextOffset: next, Records: sealed.Meta.Records, SourceBytes: source,
		},
		data: data, footer: sealed.Footer,
	}, nil
}

// index learns the last record of each key from an offset on, as far as one part goes: PartSourceMax
// bytes of log, the keys that fit the map, or the end. first is the first batch's base offset.
func (b *builder) index(
	l Log, aborted []segment.AbortedTxn, at, end kafka.Offset,
) (first, next kafka.Offset, source int64, err error) {
	x := keys.NewIndexer(b.keys, at, aborted, record.DefaultLimits())
	first, next = at, end
	begun, last := false, at // where the last batch that was added ends
	err = b.walk(l, at, end, func(batch record.Batch) (bool, error) {
		if !begun {
			first = batch.BaseOffset()
		}
		size := int64(batch.Size())
		if begun && (source+size > checkpoint.PartSourceMax || batch.NextOffset()-at > math.MaxInt32) {
			next = last
			return true, nil
		}
		full, err := x.Add(batch)
		if err != nil {
			return false, err
		}
		if full && begun {
			next = last
			return true, nil
		}
		begun, last = true, batch.NextOffset()
		source += size
		if batch.ProducerID() != kafka.NoProducerID {
			b.seen[batch.ProducerID()] = true
		}
		if full { // keeps all its records, whatever the map knows
			next = batch.NextOffset()
		}
		return full, nil
	})
	if err == nil && next == end {
		b.keys.Reach(end)
	}
	return first, next, source, err
}

// filter gives what is left of the batches in [at, next). The last one stays, without its records if
// need be, so that no gap is longer than a part and a log ends where its last batch does. Tombstones
// stay: an older part may hold what they delete. A clock that stands at 0 lets no horizon pass, and
// those that are set come out at the real time.
func (b *builder) filter(
	l Log, aborted []segment.AbortedTxn, at, next kafka.Offset,
) ([]byte, error) {
	retention := min(max(l.DeleteRetention(), 0), retentionMax)
	f := keys.NewFilter(keys.Options{
		Map: b.keys, Now: 0, Aborted: aborted, Limits: record.DefaultLimits(),
		DeleteRetention: time.Duration(b.now.UnixMilli())*time.Millisecond + retention,
	})
	var out []byte
	err := b.walk(l, at, next, func(batch record.Batch) (bool, error) {
		var err error
		out, err = f.Append(out, batch, batch.NextOffset() == next)
		return false, err
	})
	return out, err
}

// walk visits the batches that begin in [from, until) until visit says to stop.
func (b *builder) walk(
	l Log, from, until kafka.Offset, visit func(record.Batch) (stop bool, err error),
) error {
	if b.window == nil {
		b.window = make([]byte, readBytes)
	}
	start := from
	for from < until {
		n, err := l.Read(b.window, from, until)
		var short *hotlog.ShortBufferError
		if errors.As(err, &short) {
			b.window = make([]byte, short.Need)
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		for rest := b.window[:n]; len(rest) > 0; {
			batch, after, err := record.Next(rest)
			if err == nil {
				err = batch.ValidateStored()
			}
			if err != nil {
				return fmt.Errorf("batch at %d: %w", from, err)
			}
			rest, from = after, batch.NextOffset()
			if batch.BaseOffset() < start {
				continue
			}
			if stop, err := visit(batch); stop || err != nil {
				return err
			}
		}
	}
	return nil
}

// producers are those whose state a restored log needs from this save.
func (b *builder) producers(j job) []segment.ProducerState {
	if j.whole {
		return j.stable.Producers
	}
	var out []segment.ProducerState
	for _, p := range j.stable.Producers {
		if p.LastOffset >= j.from || b.seen[p.ProducerID] {
			out = append(out, p)
		}
	}
	return out
}

// epochsWithin gives the epochs of the records in a range, the first covering its base.
func epochsWithin(all []kafka.EpochStart, r kafka.OffsetRange) []kafka.EpochStart {
	var within []kafka.EpochStart
	for i, e := range all {
		if e.StartOffset >= r.Next {
			break
		}
		if i+1 < len(all) && all[i+1].StartOffset <= r.Base {
			continue
		}
		e.StartOffset = max(e.StartOffset, r.Base)
		within = append(within, e)
	}
	return within
}

// below cuts a history of epochs off at an end.
func below(epochs []kafka.EpochStart, end kafka.Offset) []kafka.EpochStart {
	i, _ := slices.BinarySearchFunc(epochs, end, func(e kafka.EpochStart, o kafka.Offset) int {
		return int(min(1, max(-1, e.StartOffset-o)))
	})
	return epochs[:i]
}
