package hotlog

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// written is a record that was appended.
type written struct {
	offset kafka.Offset
	key    string
	value  string // "" is a tombstone
	ts     kafka.Timestamp
}

// writtenBatch is a batch that was appended, a marker if it has no records.
type writtenBatch struct {
	base, next kafka.Offset
	records    []written
	producer   kafka.ProducerID // -1 when not transactional
	lastSeq    int32
	abort      bool // of a marker
}

// cleanModel is what a compacted log should hold: everything that was ever written, and the map that
// follows from it.
type cleanModel struct {
	batches []writtenBatch
	start   kafka.Offset // below it records may be gone
	touched kafka.Offset // no cleaning has seen a record at or above
}

func (m *cleanModel) end() kafka.Offset {
	if n := len(m.batches); n > 0 {
		return m.batches[n-1].next
	}
	return m.start
}

// cut forgets what a crash or a truncation took.
func (m *cleanModel) cut(end kafka.Offset) {
	m.touched = min(m.touched, end)
	for n := len(m.batches); n > 0 && m.batches[n-1].next > end; n-- {
		m.batches = m.batches[:n-1]
	}
}

// committed gives the records that a reader of committed data sees when nothing is cleaned, and the
// last stable offset.
func (m *cleanModel) committed() (out []written, stable kafka.Offset) {
	open := map[kafka.ProducerID][]int{}
	fate := make([]bool, len(m.batches)) // aborted
	for i, b := range m.batches {
		switch {
		case b.producer < 0:
		case len(b.records) > 0:
			open[b.producer] = append(open[b.producer], i)
		default:
			for _, j := range open[b.producer] {
				fate[j] = b.abort
			}
			delete(open, b.producer)
		}
	}
	stable = m.end()
	for _, of := range open {
		stable = min(stable, m.batches[of[0]].base)
	}
	for i, b := range m.batches {
		if !fate[i] && b.next <= stable {
			out = append(out, b.records...)
		}
	}
	return out, stable
}

// consume reads a log as a consumer with isolation level read_committed does.
func consume(l *Log, from kafka.Offset) (out []written, err error) {
	stable := l.LastStableOffset()
	buf := make([]byte, 8<<10)
	gone := map[kafka.ProducerID]bool{}
	at := from
	for at < stable {
		n, err := l.Read(buf, at, stable)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("read at %d of [%d,%d): %d bytes, %w",
				at, l.LocalLogStartOffset(), stable, n, err)
		}
		aborted := l.AbortedIn(kafka.OffsetRange{Base: at, Next: stable})
		clear(gone)
		for rest := buf[:n]; len(rest) > 0; {
			var b record.Batch
			if b, rest, err = record.Next(rest); err != nil {
				return nil, err
			}
			if b.NextOffset() <= at {
				return nil, fmt.Errorf("read at %d gives batch [%d,%d)", at, b.BaseOffset(), b.NextOffset())
			}
			if err := b.ValidateStored(); err != nil {
				return nil, err
			}
			for _, a := range aborted {
				if a.FirstOffset <= b.LastOffset() && a.LastOffset >= b.BaseOffset() {
					gone[a.ProducerID] = true
				}
			}
			more, err := visible(b, gone)
			if err != nil {
				return nil, err
			}
			for _, r := range more {
				if r.offset >= from {
					out = append(out, r)
				}
			}
			at = b.NextOffset()
		}
	}
	for i := 1; i < len(out); i++ {
		if out[i].offset <= out[i-1].offset {
			return nil, fmt.Errorf("offset %d after %d", out[i].offset, out[i-1].offset)
		}
	}
	return out, nil
}

// visible gives what a consumer shows of a batch, and lets an abort marker end its transaction.
func visible(b record.Batch, gone map[kafka.ProducerID]bool) (out []written, err error) {
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	for it.Next() {
		r := it.Record()
		if b.IsControl() {
			if m, _, _ := record.ParseMarker(r); m == record.Abort {
				delete(gone, b.ProducerID())
			}
			continue
		}
		if !b.IsTransactional() || !gone[b.ProducerID()] {
			out = append(out, written{r.Offset, string(r.Key), string(r.Value), r.Timestamp})
		}
	}
	return out, it.Err()
}

// lose forgets what lies below a log that a power loss left without its oldest files, of which
// nothing was flushed.
func (m *cleanModel) lose(l *Log, flushed kafka.Offset) error {
	start := l.LocalLogStartOffset()
	if !l.Rebuilt() || start <= m.start {
		return nil
	}
	if start < flushed {
		return fmt.Errorf("log begins at %d, flushed %d", start, flushed)
	}
	m.start = start
	m.batches = slices.DeleteFunc(slices.Clone(m.batches), func(b writtenBatch) bool {
		return b.next <= start
	})
	return nil
}

// check holds a log against the model: nothing that was not written, no aborted record, the last
// value of each key, and everything that no cleaning has seen.
func (m *cleanModel) check(l *Log, r *rand.Rand) error {
	from := l.LocalLogStartOffset()
	got, err := consume(l, from)
	if err != nil {
		return err
	}
	want, stable := m.committed()
	if l.LastStableOffset() != stable {
		return fmt.Errorf("last stable offset %d, want %d", l.LastStableOffset(), stable)
	}
	l.mu.Lock()
	cleaned := l.cleaned
	l.mu.Unlock()
	last := map[string]written{}
	for _, w := range want {
		last[w.key] = w
	}
	have := map[kafka.Offset]written{}
	for _, g := range got {
		have[g.offset] = g
	}
	for _, w := range want {
		g, ok := have[w.offset]
		delete(have, w.offset)
		needed := last[w.key] == w && w.value != "" && w.offset >= m.start
		switch {
		case ok && g != w:
			return fmt.Errorf("record %+v became %+v", w, g)
		case !ok && needed:
			return fmt.Errorf("last value %+v is gone, clean up to %d", w, cleaned)
		case !ok && w.offset >= max(m.touched, m.start):
			return fmt.Errorf("dirty record %+v is gone, clean up to %d", w, cleaned)
		}
	}
	for _, g := range have {
		return fmt.Errorf("record %+v was aborted or never written", g)
	}
	if end := l.LogEndOffset(); end > from {
		at := from + kafka.Offset(r.Int64N(int64(end-from)))
		part, err := consume(l, at)
		if err != nil {
			return err
		}
		i, _ := slices.BinarySearchFunc(got, at, func(w written, o kafka.Offset) int {
			return int(w.offset - o)
		})
		if !slices.Equal(part, got[i:]) {
			return fmt.Errorf("from offset %d: %d records, want %d", at, len(part), len(got[i:]))
		}
	}
	return m.checkProducers(l)
}

// checkProducers holds what must outlive the records: last sequence numbers.
func (m *cleanModel) checkProducers(l *Log) error {
	want := map[kafka.ProducerID]int32{}
	for _, b := range m.batches {
		if b.producer >= 0 && len(b.records) > 0 && b.base >= m.start {
			want[b.producer] = b.lastSeq
		}
	}
	for _, p := range l.Producers() {
		if seq, ok := want[p.ProducerID]; ok && p.LastSequence != seq {
			return fmt.Errorf("producer %d: last sequence %d, want %d", p.ProducerID, p.LastSequence, seq)
		}
		delete(want, p.ProducerID)
	}
	for id := range want {
		return fmt.Errorf("producer %d is forgotten", id)
	}
	return nil
}
