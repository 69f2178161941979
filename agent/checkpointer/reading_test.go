package checkpointer

import (
	"context"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// readAll reads a log as a consumer of committed records that keeps a table does.
func readAll(t testing.TB, l *hotlog.Log) map[string]string {
	t.Helper()
	out := map[string]string{}
	buf := make([]byte, 1<<20)
	start, end := max(l.LocalLogStartOffset(), l.LogStartOffset()), l.LogEndOffset()
	from := start
	aborted := l.AbortedIn(kafka.OffsetRange{Base: from, Next: end})
	for from < end {
		n, err := l.Read(buf, from, end)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return out
		}
		for rest := buf[:n]; len(rest) > 0; {
			b, after, err := record.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest = after
			if b.NextOffset() <= from {
				t.Fatalf("batch up to %d after offset %d", b.NextOffset(), from)
			}
			from = b.NextOffset()
			if !b.IsControl() && !isAborted(b, aborted) {
				fold(t, b, start, out)
			}
		}
	}
	return out
}

func isAborted(b record.Batch, aborted []segment.AbortedTxn) bool {
	for _, a := range aborted {
		if b.IsTransactional() && b.ProducerID() == a.ProducerID &&
			a.FirstOffset <= b.BaseOffset() && b.BaseOffset() <= a.LastOffset {
			return true
		}
	}
	return false
}

func fold(t testing.TB, b record.Batch, from kafka.Offset, out map[string]string) {
	t.Helper()
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	for it.Next() {
		switch r := it.Record(); {
		case r.Offset < from:
		case r.Value == nil:
			delete(out, string(r.Key))
		default:
			out[string(r.Key)] = string(r.Value)
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
}

const timeUnit = time.Millisecond

func timeNow() time.Time { return time.Now() }

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(timeUnit)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-ticker.C:
		}
	}
}

var noTime = hotlog.AppendOptions{AppendTime: kafka.NoTimestamp}

func oneRecord(t *testing.T, key, value string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(1, []byte(key), []byte(value))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// history notes what a test appended to a log by hand.
func (w *world) history(partition int, key, value string) {
	l := w.logs[partition]
	l.history = append(l.history, written{offset: l.LogEndOffset() - 1, key: key, value: value})
}
