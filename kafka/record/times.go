package record

import (
	"github.com/varve-log/varve/kafka"
)

// TimestampBounds gives the smallest and the largest timestamp of the batch's records, which are
// walked, and inflated where they are compressed. The header does not tell the smallest: the base
// timestamp is the first record's, and later ones may lie before it. Both are kafka.NoTimestamp
// where there is no record.
//
// Errors: ErrCorrupt, ErrInvalid, ErrTooLarge.
func (b Batch) TimestampBounds(l Limits) (low, high kafka.Timestamp, err error) {
	if b.TimestampType() == LogAppendTime {
		return b.MaxTimestamp(), b.MaxTimestamp(), nil
	}
	it := b.Records(l)
	defer it.Close()
	low, high = kafka.NoTimestamp, kafka.NoTimestamp
	for first := true; it.NextTime(); first = false {
		ts := it.record.Timestamp
		if first {
			low, high = ts, ts
		}
		low, high = min(low, ts), max(high, ts)
	}
	return low, high, it.Err()
}

// FindTimestamp gives offset and timestamp of the first record with a timestamp of ts or later;
// false when there is none, which the header's max timestamp tells without a walk.
//
// Errors: ErrCorrupt, ErrInvalid, ErrTooLarge.
func (b Batch) FindTimestamp(
	ts kafka.Timestamp, l Limits,
) (o kafka.Offset, at kafka.Timestamp, ok bool, err error) {
	if b.MaxTimestamp() < ts {
		return kafka.NoOffset, kafka.NoTimestamp, false, nil
	}
	it := b.Records(l)
	defer it.Close()
	for it.NextTime() {
		if r := it.record; r.Timestamp >= ts {
			return r.Offset, r.Timestamp, true, nil
		}
	}
	return kafka.NoOffset, kafka.NoTimestamp, false, it.Err()
}

// FindMaxTimestamp gives offset and timestamp of the first record with the largest timestamp
// (ListOffsets with timestamp -3, KIP-734); false where there is no record.
//
// Errors: ErrCorrupt, ErrInvalid, ErrTooLarge.
func (b Batch) FindMaxTimestamp(
	l Limits,
) (o kafka.Offset, at kafka.Timestamp, ok bool, err error) {
	it := b.Records(l)
	defer it.Close()
	for it.NextTime() {
		if r := it.record; !ok || r.Timestamp > at {
			o, at, ok = r.Offset, r.Timestamp, true
		}
	}
	return o, at, ok, it.Err()
}

// SetMaxTimestamp corrects a header that tells another max timestamp than the records, as Kafka
// does with what producers send, and computes the CRC anew. Time search relies on this field.
func (b Batch) SetMaxTimestamp(ts kafka.Timestamp) {
	if b.MaxTimestamp() != ts {
		b.putMaxTimestamp(ts)
	}
}
