package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/record"
)

// produced sends one batch and gives the partition's answer.
func produced(c *wireClient, topic *Topic, b []byte, v int16) kmsg.ProduceResponseTopicPartition {
	return ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, 1, b), v).Topics[0].Partitions[0]
}

// TestRecordErrors: the records for which a batch is refused are named one by one (KIP-467).
func TestRecordErrors(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	keyed := f.create(t, "keyed", 1)
	keyed.Settings.CleanupPolicy = "compact"
	c := dial(t, serveFake(t, f))
	for _, codec := range []record.Codec{record.None, record.Gzip} {
		build := record.NewBuilder(codec)
		build.Append(now(), []byte("k"), nil)
		build.Append(now()+10*3600_000, nil, []byte("v"))
		build.Append(now(), []byte{}, []byte("v"))
		build.Append(now()+10*3600_000, nil, []byte("v"))
		b, err := build.Build()
		if err != nil {
			t.Fatal(err)
		}
		p := produced(c, topic, b, 8)
		if p.ErrorCode != codeBadTimestamp || len(p.ErrorRecords) != 2 ||
			p.ErrorRecords[0].RelativeOffset != 1 || p.ErrorRecords[1].RelativeOffset != 3 ||
			!strings.HasPrefix(text(p.ErrorRecords[1].ErrorMessage), "Timestamp ") ||
			text(p.ErrorMessage) != "One or more records have been rejected due to invalid timestamp" {
			t.Errorf("%s: timestamps: %s %q %+v", codec, errorName(p.ErrorCode), text(p.ErrorMessage),
				p.ErrorRecords)
		}
		keyed.Settings.TimestampAfterMax = 24 * 3600e9
		p = produced(c, keyed, b, 9)
		const sentence = "One or more records have been rejected due to 2 record errors in total, and " +
			"only showing the first three errors at most: [RecordError(batchIndex=1, " +
			"message='Compacted topic cannot accept message without key'), RecordError(batchIndex=3, "
		if p.ErrorCode != codeInvalidRecord || len(p.ErrorRecords) != 2 ||
			!strings.HasPrefix(text(p.ErrorMessage), sentence) {
			t.Errorf("%s: keys: %s %q %+v", codec, errorName(p.ErrorCode), text(p.ErrorMessage),
				p.ErrorRecords)
		}
		// The next batch of the connection has nothing to do with it.
		if p = produced(c, topic, batchOf(t, now(), "v"), 9); p.ErrorCode != codeNone ||
			len(p.ErrorRecords) != 0 {
			t.Errorf("%s: then %s, %d records", codec, errorName(p.ErrorCode), len(p.ErrorRecords))
		}
	}
	// However many are wrong, the answer is bounded.
	build := record.NewBuilder(record.None)
	for range 3 * recordErrorsMax {
		build.Append(5, nil, nil)
	}
	b, err := build.Build()
	if err != nil {
		t.Fatal(err)
	}
	p := produced(c, keyed, b, 9)
	if len(p.ErrorRecords) != recordErrorsMax ||
		!strings.Contains(text(p.ErrorMessage), "due to 3000 record errors") {
		t.Errorf("%d records, %q", len(p.ErrorRecords), text(p.ErrorMessage))
	}
}

// TestCompressionType: a topic with a codec of its own stores all batches in it.
func TestCompressionType(t *testing.T) {
	f := newFake()
	for name, want := range map[string]record.Codec{
		"uncompressed": record.None, "gzip": record.Gzip, "snappy": record.Snappy, "lz4": record.LZ4,
		"zstd": record.Zstd,
	} {
		topic := f.create(t, name, 1, "compression.type", name, "compression.gzip.level", "9")
		c := dial(t, serveFake(t, f))
		for sent := record.None; sent <= record.Zstd; sent++ {
			build := record.NewBuilder(sent)
			build.SetProducer(9, 1, 7)
			build.Append(now(), []byte("k"), []byte(strings.Repeat("v", 500)), record.Header{Key: "h"})
			build.Append(now()+5, nil, nil)
			b, err := build.Build()
			if err != nil {
				t.Fatal(err)
			}
			if p := produced(c, topic, b, 9); p.ErrorCode != codeNone {
				t.Fatalf("%s as %s: %s %q", sent, name, errorName(p.ErrorCode), text(p.ErrorMessage))
			}
			all := f.partition(name).batches
			got := all[len(all)-1]
			if got.Codec() != want || got.Validate() != nil || got.BaseSequence() != 7 ||
				got.ProducerID() != 9 || got.Count() != 2 || got.MaxTimestamp() != b.MaxTimestamp() {
				t.Errorf("%s as %s: stored as %s, %v", sent, name, got.Codec(), got.Validate())
			}
			it := got.Records(record.DefaultLimits())
			for it.Next() {
				if it.Record().Offset == got.BaseOffset() && len(it.Record().Value) != 500 {
					t.Errorf("%s as %s: value of %d bytes", sent, name, len(it.Record().Value))
				}
			}
			if it.Err() != nil {
				t.Errorf("%s as %s: %v", sent, name, it.Err())
			}
			it.Close()
		}
	}
	// The bound holds for what is stored, too.
	topic := f.create(t, "small", 1, "compression.type", "uncompressed", "max.message.bytes", "1000")
	build := record.NewBuilder(record.Zstd)
	build.Append(now(), nil, make([]byte, 5000))
	b, err := build.Build()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, serveFake(t, f))
	if p := produced(c, topic, b, 9); p.ErrorCode != codeTooLarge {
		t.Errorf("inflated beyond max.message.bytes: %s", errorName(p.ErrorCode))
	}
	both := f.create(t, "both", 1, "compression.type", "gzip", "message.timestamp.type", "LogAppendTime")
	if p := produced(c, both, batchOf(t, 5, "v"), 9); p.LogAppendTime < 1000 {
		t.Errorf("append time %d", p.LogAppendTime)
	}
	got := f.partition("both").batches[0]
	if got.Codec() != record.Gzip || got.TimestampType() != record.LogAppendTime ||
		got.Validate() != nil {
		t.Errorf("%s, %v, %v", got.Codec(), got.TimestampType(), got.Validate())
	}
}

// TestMaxTimestampCorrected: a producer's wrong max timestamp made searches by time miss records.
func TestMaxTimestampCorrected(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	at := now()
	b := batchOf(t, at, "v", "w")
	b.SetMaxTimestamp(at + 1)
	if p := produced(c, topic, b, 9); p.ErrorCode != codeNone {
		t.Fatal(errorName(p.ErrorCode))
	}
	got := f.partition("t").batches[0]
	if ts := got.MaxTimestamp(); ts != at || got.Validate() != nil {
		t.Errorf("max timestamp %d, want %d, %v", ts, at, got.Validate())
	}
}
