package driver

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

func headers(ctx context.Context, r *run) error {
	topic := r.name("headers")
	if err := r.c.Create(ctx, topic, 1, nil); err != nil {
		return err
	}
	sent := []Header{
		{"a", []byte("1")}, {"a", []byte("2")}, {"b", nil}, {"c", []byte{}}, {"d", []byte{0, 0xff}},
	}
	if _, text := r.c.(Lines); text {
		r.leaveOut("bytes that are no text in headers")
		sent = sent[:4]
	}
	record := Record{Value: []byte("h"), Headers: sent}
	if _, err := r.c.Produce(
		ctx, Produce{Topic: topic, Codec: "none", Records: []Record{record}},
	); err != nil {
		return err
	}
	got, err := r.c.Read(ctx, Read{Topic: topic, N: 1, Wait: readWaitMax})
	if err == nil {
		err = want(got, []Record{record})
	}
	if err != nil {
		return err
	}
	same := slices.EqualFunc(got[0].Headers, sent, func(a, b Header) bool {
		return a.Key == b.Key && r.same(a.Value, b.Value)
	})
	if !same {
		return fmt.Errorf("headers %s, want %s", list(got[0].Headers), list(sent))
	}
	return nil
}

// Lines libraries write lines of text, which are never nothing, and headers of text.
type Lines interface{ Lines() }

// Blind libraries read null and empty as the same.
type Blind interface{ Blind() }

// same tells null from empty if the library does.
func (r *run) same(got, want []byte) bool {
	if _, blind := r.c.(Blind); blind && len(want) == 0 && want != nil && got == nil {
		r.leaveOut("difference of empty and null when reading")
		return true
	}
	return bytes.Equal(got, want) && (got == nil) == (want == nil)
}

func list(headers []Header) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, "%s=%s ", h.Key, show(h.Value))
	}
	return b.String()
}

func nulls(ctx context.Context, r *run) error {
	topic := r.name("nulls")
	if err := r.c.Create(ctx, topic, 1, nil); err != nil {
		return err
	}
	records := []Record{
		{Offset: 0, Value: []byte("v")},
		{Offset: 1, Key: []byte("k")},
		{Offset: 2},
		{Offset: 3, Key: []byte{}, Value: []byte{}},
	}
	if _, lines := r.c.(Lines); lines {
		r.leaveOut("record without key and value")
		records = append(records[:2], records[3])
		records[2].Offset = 2
	}
	if _, err := r.c.Produce(ctx, Produce{Topic: topic, Codec: "none", Records: records}); err != nil {
		return err
	}
	got, err := r.c.Read(ctx, Read{Topic: topic, N: len(records), Wait: readWaitMax})
	if err == nil {
		err = want(got, records)
	}
	if err != nil {
		return err
	}
	for i, g := range got {
		e := records[i]
		if !r.same(g.Key, e.Key) || !r.same(g.Value, e.Value) {
			return fmt.Errorf("record %d is %s, want %s", i, brief(g), brief(e))
		}
	}
	return nil
}

const manyPartitions = 10_000

func partitions(ctx context.Context, r *run) error {
	const topic = "compat.partitions"
	n, led, err := r.c.Partitions(ctx, topic)
	switch {
	case err != nil:
		return err
	case n != manyPartitions || led != manyPartitions:
		return fmt.Errorf("%d partitions, %d of them led, want %d", n, led, manyPartitions)
	}
	record := Record{Partition: manyPartitions - 1, Value: []byte(r.prefix)}
	offset, err := r.c.Produce(ctx, Produce{Topic: topic, Codec: "none", Records: []Record{record}})
	if err != nil {
		return err
	}
	got, err := r.c.Read(
		ctx, Read{Topic: topic, Partition: record.Partition, From: offset, N: 1, Wait: readWaitMax},
	)
	if err != nil {
		return err
	}
	record.Offset = offset
	return want(got, []Record{record})
}

const (
	sealedRecords = 4000
	sealedPadding = 500
)

func sealed(ctx context.Context, r *run) error {
	const topic = "compat.sealed"
	got, err := r.c.Read(ctx, Read{Topic: topic, N: sealedRecords, Wait: readWaitMax})
	if err != nil {
		return err
	}
	var expected []Record
	for i := range sealedRecords {
		value := fmt.Sprintf("%06d%s", i, strings.Repeat("y", sealedPadding))
		expected = append(expected, Record{Offset: int64(i), Value: []byte(value)})
	}
	if err := want(got, expected); err != nil {
		return err
	}
	for i, g := range got {
		if t := time.UnixMilli(firstTime + 1000*int64(i)); !g.Timestamp.Equal(t) {
			return fmt.Errorf("record %d has timestamp %s, want %s", i, g.Timestamp, t)
		}
	}
	for _, offset := range []int64{1500, 3500} {
		at, err := r.c.OffsetFor(ctx, topic, 0, firstTime+1000*offset)
		if err != nil {
			return r.may(err)
		}
		if at != offset {
			return fmt.Errorf("offset for the time of record %d is %d", offset, at)
		}
	}
	return nil
}
