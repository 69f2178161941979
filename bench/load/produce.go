package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/bench/wire"
	"github.com/varve-log/varve/internal/histogram"
)

// Produce says what to send. DefaultProduce gives values that work; Addr and Topic are the
// caller's.
type Produce struct {
	// Addr is the broker's host:port, Topic a topic with at least Connections partitions: connection
	// i sends to partition i, on the leader that the broker names.
	Addr, Topic string
	// Bare sends to bench/sink: Addr is used as it is, and answers hold a correlation id alone.
	Bare bool
	// Connections is how many there are, 1 to 1024.
	Connections int
	// InFlight bounds requests without an answer on each connection, 1 to 1024.
	InFlight int
	// RecordBytes is the size of a value, 1 to 1 MiB.
	RecordBytes int
	// BatchBytes bounds a batch; there is one in each request. A record that is larger is a batch.
	BatchBytes int
	// Acks is 0, 1 or -1 (all).
	Acks int16
	// PreEncoded sends the same batch over and over, built before the clock starts.
	PreEncoded bool
	// Rate is records per second of all connections together; 0: as fast as the broker takes them.
	Rate float64
	// Linger is how often a paced connection sends what is due. Default 1 ms.
	Linger time.Duration
	// Duration ends the run; BytesMax too, when it is not 0, counted in values.
	Duration time.Duration
	BytesMax int64
}

// DefaultProduce is 1 KiB records as fast as they go for five seconds.
func DefaultProduce() Produce {
	return Produce{
		Connections: 2, InFlight: 5, RecordBytes: 1 << 10, BatchBytes: 256 << 10, Acks: -1,
		Linger: time.Millisecond, Duration: 5 * time.Second,
	}
}

// Validate names the field that cannot be.
func (p Produce) Validate() error {
	for _, f := range []struct {
		name             string
		value, low, high int64
	}{
		{"connections", int64(p.Connections), 1, 1024},
		{"requests in flight", int64(p.InFlight), 1, 1024},
		{"record bytes", int64(p.RecordBytes), 1, slabBytes},
		{"batch bytes", int64(p.BatchBytes), 1, 64 << 20},
		{"acks", int64(p.Acks), -1, 1},
		{"linger", int64(p.Linger), 1, int64(time.Minute)},
		{"duration", int64(p.Duration), 1, int64(24 * time.Hour)},
		{"bytes", p.BytesMax, 0, 1 << 50},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("%s is %d: must be %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	if p.Rate < 0 || p.Rate > 1e9 {
		return fmt.Errorf("rate is %g: must be 0 to 1e9 records per second", p.Rate)
	}
	if p.Rate > 0 && (p.PreEncoded || p.Acks == 0) {
		return errors.New("a paced load encodes its records and needs acks 1 or all")
	}
	return nil
}

// Result is what a run did.
type Result struct {
	Records int64
	Bytes   int64 // of values; of whole batches for PreEncoded and raw fetches
	Elapsed time.Duration
	// Latency is per record, from the time it was due, for a paced load; else per request, from just
	// before it waits for room in flight to its answer. Empty for acks 0, nil for fetches.
	Latency *histogram.Histogram
}

// BytesPerSecond is the mean over the whole run.
func (r Result) BytesPerSecond() float64 { return float64(r.Bytes) / r.Elapsed.Seconds() }

// RecordsPerSecond is the mean over the whole run.
func (r Result) RecordsPerSecond() float64 { return float64(r.Records) / r.Elapsed.Seconds() }

// Run produces until Duration or BytesMax is reached, and waits for all answers. The topic must
// exist. An error of any request ends the run with it.
func (p Produce) Run(ctx context.Context) (Result, error) {
	if err := p.Validate(); err != nil {
		return Result{}, err
	}
	latency := &histogram.Histogram{}
	lanes, err := p.open(ctx, latency)
	defer func() {
		for _, l := range lanes {
			_ = l.conn.Close()
		}
	}()
	if err != nil {
		return Result{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for _, l := range lanes {
		group.Go(func() error { return l.run(ctx, start) })
	}
	err = group.Wait()
	total := Result{Elapsed: time.Since(start), Latency: latency}
	for _, l := range lanes {
		total.Records += l.records
		total.Bytes += l.bytes
	}
	return total, err
}

// open connects one lane per connection.
func (p Produce) open(ctx context.Context, latency *histogram.Histogram) ([]*lane, error) {
	addrs := make([]string, p.Connections)
	for i := range addrs {
		addrs[i] = p.Addr
	}
	if !p.Bare {
		conn, err := wire.Dial(ctx, p.Addr)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }()
		leaders, err := conn.Leaders(ctx, p.Topic)
		if err != nil {
			return nil, err
		}
		if len(leaders) < p.Connections {
			return nil, fmt.Errorf("topic %s has %d partitions: %d connections need one each",
				p.Topic, len(leaders), p.Connections)
		}
		addrs = leaders[:p.Connections]
	}
	var lanes []*lane
	for i, addr := range addrs {
		conn, err := wire.Dial(ctx, addr)
		if err != nil {
			return lanes, err
		}
		lanes = append(lanes, newLane(p, conn, int32(i), latency))
	}
	return lanes, nil
}
