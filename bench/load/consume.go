package load

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-log/varve/bench/wire"
)

// Consume says what to fetch. DefaultConsume gives values that work; Addr and Topic are the
// caller's.
type Consume struct {
	Addr, Topic string
	Partition   int32
	// Raw reads no more than batch headers: the broker's side of a fetch and little else. Otherwise
	// CRCs are checked and every record is read.
	Raw bool
	// From is the first offset.
	From int64
	// FetchBytesMax and PartitionBytesMax are those of the requests.
	FetchBytesMax, PartitionBytesMax int32
	// BytesMax ends the run when it is not 0, as does Duration; the high watermark always does.
	BytesMax int64
	Duration time.Duration
}

// DefaultConsume reads everything with the fetch sizes of Kafka's own consumer.
func DefaultConsume() Consume {
	return Consume{FetchBytesMax: 50 << 20, PartitionBytesMax: 1 << 20, Duration: time.Hour}
}

// fetchWaitMillis is how long a broker may wait for records at the end.
const fetchWaitMillis = 500

// Run fetches until the high watermark or a bound is reached.
func (c Consume) Run(ctx context.Context) (Result, error) {
	conn, err := c.open(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	ask := wire.Fetch{
		Topic: c.Topic, Partition: c.Partition, BytesMax: c.FetchBytesMax,
		PartitionBytesMax: c.PartitionBytesMax, WaitMillis: fetchWaitMillis,
	}
	start := time.Now()
	seen := tally{next: c.From}
	visit := seen.walk
	if c.Raw {
		visit = seen.heads
	}
	for {
		data, highWatermark, err := conn.Fetch(ask, seen.next)
		if err == nil {
			err = visit(data)
		}
		if err != nil {
			return c.result(&seen, start), fmt.Errorf("consume at offset %d: %w", seen.next, err)
		}
		bytes := c.bytes(&seen)
		if seen.next >= highWatermark || c.BytesMax > 0 && bytes >= c.BytesMax ||
			time.Since(start) >= c.Duration {
			return c.result(&seen, start), nil
		}
	}
}

func (c Consume) open(ctx context.Context) (*wire.Conn, error) {
	conn, err := wire.Dial(ctx, c.Addr)
	if err != nil {
		return nil, err
	}
	leaders, err := conn.Leaders(ctx, c.Topic)
	_ = conn.Close()
	if err != nil {
		return nil, err
	}
	if int(c.Partition) >= len(leaders) {
		return nil, fmt.Errorf("topic %s has %d partitions, not one of number %d",
			c.Topic, len(leaders), c.Partition)
	}
	return wire.Dial(ctx, leaders[c.Partition])
}

func (c Consume) bytes(t *tally) int64 {
	if c.Raw {
		return t.batchBytes
	}
	return t.valueBytes
}

func (c Consume) result(t *tally, start time.Time) Result {
	return Result{Records: t.records, Bytes: c.bytes(t), Elapsed: time.Since(start)}
}
