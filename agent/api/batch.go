package api

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/kafka/settings"
)

// zstdSince is the first version of Produce that may carry zstd (KIP-110).
const zstdSince = 7

// recordLimits bound what a produced batch may inflate to.
var recordLimits = record.DefaultLimits()

// checker validates what producers send. It is reused for the memory of its iterator and is not
// safe for concurrent use.
type checker struct {
	it      record.Iterator
	version int16 // of the Produce request
	now     kafka.Timestamp
	errs    recordErrors // of the batch that was checked last
}

// check validates the records of one partition and stamps them where the topic says so. On
// success it gives the one batch and its append time. The order of checks and the codes are
// Kafka's.
func (c *checker) check(records []byte, t *settings.Topic) (record.Batch, kafka.Timestamp, fault) {
	c.errs.reset()
	if len(records) == 0 {
		return nil, 0, fault{codeInvalidRecord, "a partition must have exactly one record batch"}
	}
	b, rest, err := record.Next(records)
	switch {
	case errors.Is(err, record.ErrMagic):
		return nil, 0, fault{codeInvalidRecord, fmt.Sprintf("Produce requests with version %d are "+
			"only allowed to contain record batches with magic version 2", c.version)}
	case err != nil:
		return nil, 0, fault{codeCorrupt, err.Error()}
	case len(rest) > 0:
		return nil, 0, fault{codeInvalidRecord, fmt.Sprintf("Produce requests with version %d are "+
			"only allowed to contain exactly one record batch per partition", c.version)}
	case len(b) > t.MaxMessageBytes:
		return nil, 0, fault{codeTooLarge, fmt.Sprintf("The record batch is %d bytes, which exceeds "+
			"the max.message.bytes value of %d.", len(b), t.MaxMessageBytes)}
	}
	if f := c.checkHeader(b); f.code != codeNone {
		return nil, 0, f
	}
	newest, f := c.checkRecords(b, t)
	if f.code != codeNone {
		c.errs.reset() // the batch is broken, whatever its records say
		return nil, 0, f
	}
	if f = c.errs.fault(); f.code != codeNone {
		return nil, 0, f
	}
	if b, f = recompressed(b, t); f.code != codeNone {
		return nil, 0, f
	}
	if newest != b.MaxTimestamp() && t.TimestampType == settings.CreateTime {
		b.SetMaxTimestamp(newest)
	}
	if t.TimestampType == settings.LogAppendTime {
		b.SetAppendTime(c.now)
		return b, c.now, fault{}
	}
	return b, kafka.NoTimestamp, fault{}
}

// checkHeader checks CRC and header fields.
func (c *checker) checkHeader(b record.Batch) fault {
	if err := b.Validate(); err != nil {
		if errors.Is(err, record.ErrInvalid) {
			return fault{codeInvalidRecord, err.Error()}
		}
		return fault{codeCorrupt, err.Error()}
	}
	switch {
	case b.IsControl():
		return fault{codeInvalidRecord, "Clients are not allowed to write control records"}
	case b.TimestampType() == record.LogAppendTime:
		return fault{codeBadTimestamp, "Invalid timestamp type LogAppendTime in a client's batch"}
	case b.Count() == 0:
		return fault{codeInvalidRecord, "the record batch holds no records"}
	case b.Codec() == record.Zstd && c.version < zstdSince:
		return fault{codeNoCodec, fmt.Sprintf("Produce requests with version %d are not allowed to "+
			"use ZStandard compression", c.version)}
	}
	return fault{}
}

// checkRecords walks the records: each whole, offsets without gaps, timestamps within the topic's
// limits of the agent's clock, keys where the topic is compacted. What concerns single records is
// collected in errs. It gives the largest timestamp.
func (c *checker) checkRecords(
	b record.Batch, t *settings.Topic,
) (newest kafka.Timestamp, f fault) {
	rules := recordRules{low: -forever, high: forever, keyed: compacted(t), errs: &c.errs}
	if t.TimestampType == settings.CreateTime {
		rules.low, rules.high = c.window(t)
	}
	if plain(b) {
		w := walk{base: b.BaseTimestamp(), recordRules: rules}
		f = w.check(b[record.HeaderSize:], b.Count())
		return w.newest, f
	}
	newest = kafka.NoTimestamp
	c.it.Reset(b, recordLimits)
	defer c.it.Close()
	for i := int64(0); c.it.Next(); i++ {
		r := c.it.Record()
		if delta := int64(r.Offset - b.BaseOffset()); delta != i {
			return newest, badRecord(i, fmt.Sprintf("its offset delta is %d", delta))
		}
		rules.check(i, r.Timestamp, r.Key == nil)
		newest = max(newest, r.Timestamp)
	}
	switch err := c.it.Err(); {
	case errors.Is(err, record.ErrTooLarge):
		return newest, fault{codeTooLarge, err.Error()}
	case err != nil:
		return newest, fault{codeInvalidRecord, err.Error()}
	}
	return newest, fault{}
}

// compacted topics take no records without a key.
func compacted(t *settings.Topic) bool { return strings.Contains(t.CleanupPolicy, "compact") }

// recompressed gives a batch in the codec that the topic wants. It is the one path that encodes anew.
func recompressed(b record.Batch, t *settings.Topic) (record.Batch, fault) {
	to := b.Codec()
	switch t.CompressionType {
	case "producer":
		return b, fault{}
	case "uncompressed":
		to = record.None
	default:
		if codec, err := record.ParseCodec(t.CompressionType); err == nil {
			to = codec
		}
	}
	if to == b.Codec() {
		return b, fault{}
	}
	out, err := b.Recode(to, t.CompressionLevel, recordLimits)
	switch {
	case errors.Is(err, record.ErrTooLarge):
		return nil, fault{codeTooLarge, err.Error()}
	case err != nil:
		return nil, fault{codeInvalidRecord, err.Error()}
	case len(out) > t.MaxMessageBytes:
		return nil, fault{codeTooLarge, fmt.Sprintf("The record batch is %d bytes when it is "+
			"compressed with %s, which exceeds the max.message.bytes value of %d.",
			len(out), t.CompressionType, t.MaxMessageBytes)}
	}
	return out, fault{}
}

// forever is beyond every timestamp.
const forever = kafka.Timestamp(1<<63 - 1)

// window is the range of timestamps that a topic accepts now.
func (c *checker) window(t *settings.Topic) (low, high kafka.Timestamp) {
	low, high = -forever, forever
	if t.TimestampBeforeMax != settings.Unbounded {
		low = c.now - kafka.Timestamp(t.TimestampBeforeMax/time.Millisecond)
	}
	if t.TimestampAfterMax != settings.Unbounded {
		high = c.now + kafka.Timestamp(t.TimestampAfterMax/time.Millisecond)
	}
	return low, high
}
