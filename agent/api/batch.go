package api

import (
	"errors"
	"fmt"
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
}

// check validates the records of one partition and stamps them where the topic says so. On
// success it gives the one batch and its append time. The order of checks and the codes are
// Kafka's.
func (c *checker) check(records []byte, t *settings.Topic) (record.Batch, kafka.Timestamp, fault) {
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
	if f := c.checkRecords(b, t); f.code != codeNone {
		return nil, 0, f
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
// limits of the agent's clock.
func (c *checker) checkRecords(b record.Batch, t *settings.Topic) fault {
	low, high := -forever, forever
	if t.TimestampType == settings.CreateTime {
		low, high = c.window(t)
	}
	if plain(b) {
		w := walk{base: b.BaseTimestamp(), low: low, high: high}
		return w.check(b[record.HeaderSize:], b.Count())
	}
	c.it.Reset(b, recordLimits)
	defer c.it.Close()
	for i := int64(0); c.it.Next(); i++ {
		r := c.it.Record()
		if delta := int64(r.Offset - b.BaseOffset()); delta != i {
			return badRecord(i, fmt.Sprintf("its offset delta is %d", delta))
		}
		if (r.Timestamp < low || r.Timestamp > high) && r.Timestamp != kafka.NoTimestamp {
			return badTimestamp(r.Timestamp, i, low, high)
		}
	}
	switch err := c.it.Err(); {
	case errors.Is(err, record.ErrTooLarge):
		return fault{codeTooLarge, err.Error()}
	case err != nil:
		return fault{codeInvalidRecord, err.Error()}
	}
	return fault{}
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
