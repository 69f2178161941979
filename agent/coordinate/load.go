package coordinate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// loadBytesMax is how much of the log is read at a time.
const loadBytesMax = 4 << 20

// load reads the machine from the log, again and again until it succeeds or the lead is resigned.
func (s *shard[M]) load() {
	begun := time.Now()
	for pause := loadPauseMin; ; pause = min(2*pause, loadPauseMax) {
		l := loader[M]{shard: s, machine: s.parts.New(s.partition, int32(s.log.LeaderEpoch()))}
		err := l.run(s.gone)
		if err == nil {
			if s.begin(l.machine, l.next) {
				s.parts.Metrics.loadSeconds.Observe(time.Since(begun).Seconds())
				s.parts.Logger.Debug("coordinator loaded", "partition", s.partition,
					"records", l.records, "took", time.Since(begun).String())
			}
			return
		}
		if s.gone.Err() != nil {
			return
		}
		s.parts.Logger.Warn("coordinator not loaded, trying again", "partition", s.partition,
			"pause", pause.String(), "err", err)
		timer := time.NewTimer(pause)
		select {
		case <-s.gone.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// begin puts a loaded machine into service, unless the lead was resigned meanwhile.
func (s *shard[M]) begin(m M, end kafka.Offset) bool {
	s.mu.Lock()
	if s.state != loading {
		s.mu.Unlock()
		return false
	}
	s.machine, s.state, s.end = m, ready, end
	s.parts.Metrics.loaded.Inc()
	out := s.takeLocked(m.Loaded(s.parts.Now()))
	s.mu.Unlock()
	s.deliver(out)
	return true
}

// loader reads one log into one machine.
type loader[M coordinator.Machine] struct {
	shard   *shard[M]
	machine M
	it      record.Iterator
	next    kafka.Offset
	records int
}

func (l *loader[M]) run(ctx context.Context) error {
	o := l.shard.log.Offsets()
	l.next = o.LogStart
	for l.next < o.LogEnd {
		data, err := l.shard.log.Fetch(ctx, api.FetchRange{
			From: l.next, Until: o.LogEnd, BytesMax: loadBytesMax, MinOne: true,
		})
		if err != nil {
			return fmt.Errorf("read from %d: %w", l.next, err)
		}
		from := l.next
		err = l.take(data.Records)
		if data.Release != nil {
			data.Release()
		}
		if err != nil {
			return err
		}
		if l.next == from { // nothing but compacted offsets are left
			l.next = o.LogEnd
		}
	}
	return nil
}

func (l *loader[M]) take(parts [][]byte) error {
	for _, rest := range parts {
		for len(rest) > 0 {
			b, more, err := record.Next(rest)
			if err != nil {
				return fmt.Errorf("batch after %d: %w", l.next, err)
			}
			if err := l.batch(b); err != nil {
				return fmt.Errorf("batch at %d: %w", b.BaseOffset(), err)
			}
			l.next, rest = b.NextOffset(), more
		}
	}
	return nil
}

func (l *loader[M]) batch(b record.Batch) error {
	l.it.Reset(b, record.DefaultLimits())
	defer l.it.Close()
	p := coordinator.Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch()}
	for l.it.Next() {
		r := l.it.Record()
		if b.IsControl() {
			if m, _, ok := record.ParseMarker(r); ok {
				l.machine.ReplayEnd(p, m == record.Commit)
			}
			continue
		}
		l.records++
		err := l.machine.Replay(coordinator.Stored{
			Record: coordinator.Record{Key: r.Key, Value: r.Value},
			Offset: r.Offset, Timestamp: r.Timestamp,
			Transactional: b.IsTransactional(), Producer: p,
		})
		if err != nil {
			l.shard.parts.Metrics.skipped.Inc()
			l.shard.parts.Logger.Warn("record of no known format skipped",
				"partition", l.shard.partition, "offset", r.Offset, "err", err)
		}
	}
	if err := l.it.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
