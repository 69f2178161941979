package driver

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	readWaitMax = 20 * time.Second
	extraWait   = 700 * time.Millisecond // how long a record that must not come is waited for
	firstTime   = 1_700_000_000_000
)

// want compares records with those expected: offsets, keys and values. Offsets are not compared
// where expected records have none (-1).
func want(got, expected []Record) error {
	if len(got) != len(expected) {
		return fmt.Errorf("read %d records, want %d", len(got), len(expected))
	}
	for i, g := range got {
		e := expected[i]
		switch {
		case e.Offset >= 0 && g.Offset != e.Offset:
			return fmt.Errorf("record %d has offset %d, want %d", i, g.Offset, e.Offset)
		case !bytes.Equal(g.Key, e.Key) || !bytes.Equal(g.Value, e.Value):
			return fmt.Errorf("record %d is %s, want %s", i, brief(g), brief(e))
		}
	}
	return nil
}

func brief(r Record) string {
	if len(r.Key) > 40 || len(r.Value) > 40 {
		return fmt.Sprintf("key of %d bytes, value of %d", len(r.Key), len(r.Value))
	}
	return fmt.Sprintf("%s=%s", show(r.Key), show(r.Value))
}

func show(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

func codecs(ctx context.Context, r *run) error {
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := r.name("codecs", codec)
		if err := r.c.Create(ctx, topic, 1, nil); err != nil {
			return err
		}
		var records []Record
		for i := range 200 {
			records = append(records, Record{
				Offset: int64(i),
				Key:    fmt.Appendf(nil, "k%d", i),
				Value:  fmt.Appendf(nil, "v%d-%s", i, strings.Repeat("compress me ", 100)),
			})
		}
		if _, err := r.c.Produce(ctx, Produce{Topic: topic, Codec: codec, Records: records}); err != nil {
			if err = r.may(err); err == nil {
				continue
			}
			return fmt.Errorf("%s: %w", codec, err)
		}
		got, err := r.c.Read(ctx, Read{Topic: topic, N: len(records), Wait: readWaitMax})
		if err == nil {
			err = want(got, records)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
	}
	return nil
}

func idempotent(ctx context.Context, r *run) error {
	topic := r.name("idempotent")
	if err := r.c.Create(ctx, topic, 1, nil); err != nil {
		return err
	}
	var records []Record
	for i := range 500 {
		records = append(records, Record{Offset: int64(i), Value: fmt.Appendf(nil, "i%d", i)})
	}
	p := Produce{Topic: topic, Codec: "none", Idempotent: true, BatchRecords: 5, Records: records}
	if _, err := r.c.Produce(ctx, p); err != nil {
		return err
	}
	got, err := r.c.Read(ctx, Read{Topic: topic, N: len(records), Wait: readWaitMax})
	if err != nil {
		return err
	}
	return want(got, records)
}

func byTime(ctx context.Context, r *run) error {
	topic := r.name("time")
	if err := r.c.Create(ctx, topic, 1, map[string]string{"retention.ms": "-1"}); err != nil {
		return err
	}
	var records []Record
	for i := range 100 {
		records = append(records, Record{
			Offset: int64(i), Value: fmt.Appendf(
				nil, "t%d", i,
			), Timestamp: time.UnixMilli(firstTime + 1000*int64(i)),
		})
	}
	if _, err := r.c.Produce(ctx, Produce{Topic: topic, Codec: "none", Records: records}); err != nil {
		return err
	}
	if _, clock := r.c.(ClockOnly); clock {
		return byClock(ctx, r, topic, records)
	}
	answers := []struct{ at, offset int64 }{
		{firstTime + 50_500, 51}, {firstTime, 0}, {firstTime + 1_000_000, -1},
	}
	for _, c := range answers {
		got, err := r.c.OffsetFor(ctx, topic, 0, c.at)
		if err != nil {
			return err
		}
		if got != c.offset && (c.offset >= 0 || got != 100) { // some libraries say the end for none
			return fmt.Errorf("offset for timestamp %d is %d, want %d", c.at, got, c.offset)
		}
	}
	got, err := r.c.Read(ctx, Read{Topic: topic, From: 51, N: 49, Wait: readWaitMax})
	if err != nil {
		return err
	}
	if err := want(got, records[51:]); err != nil {
		return err
	}
	if t := got[0].Timestamp.UnixMilli(); t != firstTime+51_000 {
		return fmt.Errorf("record 51 has timestamp %d, want %d", t, firstTime+51_000)
	}
	return nil
}

// ClockOnly libraries write the time of the clock.
type ClockOnly interface{ ClockOnly() }

// byClock is byTime with the timestamps that the records got, which were written in some milliseconds.
func byClock(ctx context.Context, r *run, topic string, records []Record) error {
	r.leaveOut("timestamps of one's own")
	if _, err := r.c.Produce(ctx, Produce{Topic: topic, Codec: "none", Records: records}); err != nil {
		return err
	}
	n := 2 * len(records)
	got, err := r.c.Read(ctx, Read{Topic: topic, N: n, Wait: readWaitMax})
	if err != nil {
		return err
	}
	if len(got) != n {
		return fmt.Errorf("read %d records, want %d", len(got), n)
	}
	at := got[n-1].Timestamp
	first := 0
	for got[first].Timestamp.Before(at) {
		first++
	}
	for _, c := range []struct{ at, offset int64 }{
		{at.UnixMilli(), int64(first)}, {got[0].Timestamp.UnixMilli(), 0}, {at.UnixMilli() + 1000, -1},
	} {
		offset, err := r.c.OffsetFor(ctx, topic, 0, c.at)
		if err != nil {
			return err
		}
		if offset != c.offset && (c.offset >= 0 || offset != int64(n)) {
			return fmt.Errorf("offset for timestamp %d is %d, want %d", c.at, offset, c.offset)
		}
	}
	return nil
}

func large(ctx context.Context, r *run) error {
	topic := r.name("large")
	if err := r.c.Create(ctx, topic, 1, map[string]string{"max.message.bytes": "2097152"}); err != nil {
		return err
	}
	pattern := func(n, size int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte((i + n) % 251)
		}
		return b
	}
	var records []Record
	for i := range 3 {
		records = append(records, Record{Offset: int64(i), Value: pattern(i, 1<<20)})
	}
	p := Produce{Topic: topic, Codec: "none", BatchRecords: 1, BytesMax: 8 << 20, Records: records}
	if _, err := r.c.Produce(ctx, p); err != nil {
		return err
	}
	got, err := r.c.Read(ctx, Read{Topic: topic, N: 3, Wait: readWaitMax, FetchBytes: 65536})
	if err == nil {
		err = want(got, records)
	}
	if err != nil {
		return err
	}
	p.Records = []Record{{Value: pattern(0, 3<<20)}}
	switch _, err = r.c.Produce(ctx, p); {
	case err == nil:
		return fmt.Errorf("a record of 3 MiB was taken")
	case r.c.Code(err) != CodeTooLarge:
		return fmt.Errorf("a record of 3 MiB: %w", err)
	}
	end, err := r.c.OffsetFor(ctx, topic, 0, Latest)
	if err == nil && end != 3 {
		err = fmt.Errorf("the end offset is %d, want 3", end)
	}
	return err
}
