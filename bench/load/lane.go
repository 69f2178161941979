package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/varve-log/varve/bench/wire"
	"github.com/varve-log/varve/internal/histogram"
)

// lane is one connection of a produce run, sending to one partition.
type lane struct {
	cfg       Produce
	conn      *wire.Conn
	partition int32
	encoder   *encoder
	frame     *wire.Frame
	fit       int // records in a batch at most
	sent      int32

	// Requests without an answer, oldest first. The reader ends when it is closed.
	flying chan flight
	broken chan error // at most one: why the reader ended early

	records int64
	bytes   int64
	latency *histogram.Histogram // of all lanes
}

// flight is one request on its way.
type flight struct {
	correlation int32
	records     int
	first       time.Time     // when its first record was due or sent
	step        time.Duration // between its records' due times
}

func newLane(
	p Produce, conn *wire.Conn, partition int32, latency *histogram.Histogram,
) *lane {
	e := newEncoder(p.RecordBytes)
	fit := e.fit(p.BatchBytes)
	return &lane{
		cfg: p, conn: conn, partition: partition, encoder: e, fit: fit, latency: latency,
		frame:  wire.NewFrame(p.Topic, p.Acks, e.bound(fit)),
		broken: make(chan error, 1),
		// A request counts as in flight from before its write until its answer was read: the channel
		// holds all but the one that the reader waits for.
		flying: make(chan flight, p.InFlight-1),
	}
}

// run sends until the run's end and then waits for the answers.
func (l *lane) run(ctx context.Context, start time.Time) error {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.receive()
	}()
	var err error
	switch {
	case l.cfg.Rate > 0:
		err = l.paced(ctx, start)
	default:
		err = l.flatOut(start)
	}
	close(l.flying)
	<-done
	select {
	case broken := <-l.broken:
		err = broken
	default:
	}
	if err == nil && l.cfg.Acks == 0 && !l.cfg.Bare {
		err = l.conn.Barrier()
	}
	if err != nil {
		return fmt.Errorf("produce to partition %d: %w", l.partition, err)
	}
	return nil
}

// flatOut sends batch after batch.
func (l *lane) flatOut(start time.Time) error {
	bytesMax := l.cfg.BytesMax / int64(l.cfg.Connections)
	size := int64(l.fit) * int64(l.cfg.RecordBytes)
	var sealed []byte
	if l.cfg.PreEncoded {
		batch := l.encoder.append(l.frame.Buffer(), l.fit, start)
		size = int64(len(batch) - l.frame.BatchStart())
		sealed = l.frame.Seal(batch, l.partition)
	}
	for {
		now := time.Now()
		if now.Sub(start) >= l.cfg.Duration || bytesMax > 0 && l.bytes >= bytesMax {
			return nil
		}
		frame := sealed
		if frame == nil {
			frame = l.build(l.fit, now)
		}
		if err := l.send(frame, flight{records: l.fit, first: now}); err != nil {
			return err
		}
		l.records += int64(l.fit)
		l.bytes += size
	}
}

// paced sends records at the times they are due, and those of a late moment at once.
func (l *lane) paced(ctx context.Context, start time.Time) error {
	step := time.Duration(float64(time.Second) * float64(l.cfg.Connections) / l.cfg.Rate)
	total := int64(l.cfg.Duration / step)
	ticker := time.NewTicker(l.cfg.Linger)
	defer ticker.Stop()
	for l.records < total {
		due := min(int64(time.Since(start)/step)+1, total)
		for l.records < due {
			n := int(min(due-l.records, int64(l.fit)))
			first := start.Add(time.Duration(l.records) * step)
			err := l.send(l.build(n, first), flight{records: n, first: first, step: step})
			if err != nil {
				return err
			}
			l.records += int64(n)
			l.bytes += int64(n) * int64(l.cfg.RecordBytes)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// build makes the request of a batch of n records.
func (l *lane) build(n int, at time.Time) []byte {
	return l.frame.Seal(l.encoder.append(l.frame.Buffer(), n, at), l.partition)
}

// send numbers a request, waits for room in flight and writes it.
func (l *lane) send(frame []byte, f flight) error {
	l.sent++
	f.correlation = l.sent
	wire.SetCorrelation(frame, l.sent)
	if l.cfg.Acks != 0 {
		select {
		case err := <-l.broken:
			l.broken <- err
			return err
		case l.flying <- f:
		}
	}
	return l.conn.Send(frame)
}

// receive reads answers until there are no more requests.
func (l *lane) receive() {
	for f := range l.flying {
		b, err := l.conn.Receive()
		if err == nil {
			err = l.check(b, f.correlation)
		}
		if err != nil {
			l.broken <- err
			_ = l.conn.Close()
			return
		}
		now := time.Now()
		if f.step == 0 {
			l.latency.Add(now.Sub(f.first))
			continue
		}
		for i := range f.records {
			l.latency.Add(now.Sub(f.first.Add(time.Duration(i) * f.step)))
		}
	}
}

// check tells whether an answer is the one that was waited for, and good.
func (l *lane) check(b []byte, correlation int32) error {
	if got := int32(binary.BigEndian.Uint32(b)); got != correlation {
		return fmt.Errorf("answer %d came for request %d", got, correlation)
	}
	if l.cfg.Bare {
		return nil
	}
	return wire.ProduceError(b)
}
