package arrowrec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/output"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/query/table/tabletest"
)

// source has one topic with two segments of records 0 to 9; the value of 3 is no UTF-8.
func source(t *testing.T, codec record.Codec, appendTime kafka.Timestamp,
) (*tabletest.Source, table.Topic) {
	t.Helper()
	src := tabletest.New()
	src.AddTopic("t", 1, table.UTF8)
	n := 0
	for range 2 {
		b := record.NewBuilder(codec)
		b.Reset()
		b.SetProducer(9, 2, 0)
		for range 5 {
			v := []byte(fmt.Sprint(n))
			switch n {
			case 3:
				v = []byte("a\xffb")
			case 4:
				v = nil
			}
			b.Append(kafka.Timestamp(1000+n), nil, v, record.Header{Key: "h", Value: []byte{1}})
			n++
		}
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if appendTime != 0 {
			batch.SetAppendTime(appendTime)
		}
		src.AddSegment("t", 0, batch, record.NewMarker(record.Commit, 9, 2, 1, 1))
	}
	topic, err := src.Topic(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	return src, topic
}

func reader(t *testing.T, src *tabletest.Source, topic table.Topic, o Options) *Reader {
	t.Helper()
	all := kafka.OffsetRange{Next: 1 << 40}
	batches, err := src.Batches(t.Context(), kafka.TopicPartition{Topic: topic.ID}, all)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(0, batches, o)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestFillBounds(t *testing.T) {
	src, topic := source(t, record.LZ4, 0)
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "[0 1 2 3 4 6 7 8 9 10]"}, // 5 is the marker of the first segment
		{Options{Columns: Of(Offset)}, "[0 1 2 3 4 6 7 8 9 10]"},
		{Options{Offsets: kafka.OffsetRange{Base: 3, Next: 8}}, "[3 4 6 7]"},
		{Options{Columns: Of(Offset), Offsets: kafka.OffsetRange{Base: 3, Next: 8}}, "[3 4 6 7]"},
		{Options{Times: TimeRange{From: 1002, To: 1006}}, "[2 3 4 6]"},
		{Options{Columns: Of(Offset), Times: TimeRange{From: 1008}}, "[9 10]"},
		{Options{Times: TimeRange{To: 1001}}, "[0]"},
	} {
		var got []int64
		r := reader(t, src, topic, c.o)
		for {
			var rows Rows
			err := r.Fill(context.Background(), &rows, 3)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || rows.Len == 0 || rows.Len > 3 {
				t.Fatal(rows.Len, err)
			}
			got = append(got, rows.Offsets...)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v, want %s", c.o, got, c.want)
		}
	}
}

// With LogAppendTime every record has the batch's largest timestamp, inflated or not.
func TestAppendTime(t *testing.T) {
	src, topic := source(t, record.Gzip, 5555)
	for _, columns := range []Set{Of(Timestamp), AllColumns} {
		var rows Rows
		r := reader(t, src, topic, Options{Columns: columns})
		if err := r.Fill(context.Background(), &rows, 100); err != nil {
			t.Fatal(err)
		}
		for _, ts := range rows.Timestamps {
			if ts != 5555 {
				t.Fatalf("columns %b: timestamp %d", columns, ts)
			}
		}
	}
}

const wantArrow = `{"partition":0,"offset":2,"timestamp":"1970-01-01T00:00:01.002Z","key":null,` +
	`"value":"2",` +
	`"headers":[{"key":"h","value":"\\x01"}],"leader_epoch":-1,"producer_id":9,"producer_epoch":2}
{"partition":0,"offset":3,"timestamp":"1970-01-01T00:00:01.003Z","key":null,"value":"a�b",` +
	`"headers":[{"key":"h","value":"\\x01"}],"leader_epoch":-1,"producer_id":9,"producer_epoch":2}
{"partition":0,"offset":4,"timestamp":"1970-01-01T00:00:01.004Z","key":null,"value":null,` +
	`"headers":[{"key":"h","value":"\\x01"}],"leader_epoch":-1,"producer_id":9,"producer_epoch":2}
`

func TestArrowStream(t *testing.T) {
	src, topic := source(t, record.Snappy, 0)
	r := reader(t, src, topic, Options{
		Format: table.UTF8, Offsets: kafka.OffsetRange{Base: 2, Next: 5},
	})
	var stream, text bytes.Buffer
	w, err := output.New(output.Arrow, &stream, r.Schema(), output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := ipc.NewReader(&stream)
	if err != nil {
		t.Fatal(err)
	}
	j, err := output.New(output.JSON, &text, back.Schema(), output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for back.Next() {
		if err := j.Write(back.RecordBatch()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(back.Err(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if text.String() != wantArrow {
		t.Errorf("got\n%swant\n%s", text.String(), wantArrow)
	}
}

func TestBrokenBatchIsNamed(t *testing.T) {
	src, topic := source(t, record.Zstd, 0)
	tp := kafka.TopicPartition{Topic: topic.ID}
	batches, err := src.Batches(t.Context(), tp, kafka.OffsetRange{Next: 5})
	if err != nil {
		t.Fatal(err)
	}
	b, err := batches.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := record.HeaderSize; i < len(b); i++ {
		b[i] = 0
	}
	var rows Rows
	err = reader(t, src, topic, Options{}).Fill(t.Context(), &rows, 10)
	if !errors.Is(err, record.ErrCorrupt) ||
		!strings.HasPrefix(err.Error(), "partition 0, batch at offset 0: ") {
		t.Errorf("got %v", err)
	}
}
