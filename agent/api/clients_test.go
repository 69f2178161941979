package api

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/varve-log/varve/kafka/record"
)

// TestFranzGo produces with an idempotent client, and reads it back.
func TestFranzGo(t *testing.T) {
	f := newFake()
	addr := serveFake(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	producer := client(t, addr, kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("auto"))
	const n = 2000
	for i := range n {
		producer.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	consumer := client(t, addr, kgo.ConsumeTopics("auto"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for got := 0; got < n; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(got) || r.Offset != int64(got) {
				t.Fatalf("record %d is %q at offset %d", got, r.Value, r.Offset)
			}
			got++
		})
	}
}

// TestFranzGoTransaction: a transactional producer commits and goes on.
func TestFranzGoTransaction(t *testing.T) {
	f := newFake()
	f.create(t, "t", 1)
	addr := serveFake(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cl := client(t, addr, kgo.TransactionalID("tx"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		r := kgo.StringRecord("v")
		r.Topic = "t"
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKcat is an old client: librdkafka 2.0.2 stops compressing where Produce below 3 is not
// offered.
func TestKcat(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed")
	}
	f := newFake()
	f.create(t, "t", 1)
	addr := serveFake(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	run := func(in string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, kcat, append([]string{"-b", addr}, args...)...)
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("kcat %v: %v\n%s", args, err, errs.String())
		}
		return out.String()
	}
	lines := strings.Repeat("a line that compresses well, well, well\n", 100)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		before := len(f.partition("t").batches)
		// A line alone, as it may leave at once on a busy machine, would not be compressed.
		run(lines, "-P", "-t", "t", "-z", codec, "-X", "linger.ms=200")
		b := f.partition("t").batches[before]
		if want, _ := record.ParseCodec(codec); b.Codec() != want {
			t.Errorf("stored as %s, sent with %s", b.Codec(), codec)
		}
	}
	if got := run("", "-C", "-t", "t", "-e", "-q"); got != strings.Repeat(lines, 5) {
		t.Errorf("consumed %d bytes", len(got))
	}
	if got := run("", "-L"); !strings.Contains(got, `topic "t" with 1 partitions`) {
		t.Errorf("metadata: %s", got)
	}
}
