package manifest

import (
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// Entry is one sealed segment: an immutable object with the offsets [BaseOffset, NextOffset).
type Entry struct {
	BaseOffset kafka.Offset `json:"base"`
	NextOffset kafka.Offset `json:"next"`
	// LeaderEpoch is the epoch of the leader that sealed it; records inside may be older.
	LeaderEpoch kafka.LeaderEpoch `json:"epoch"`
	// UID is the unique end of the object's key.
	UID string `json:"uid"`
	// Bytes is the object's size: DataBytes of record batches, then FooterBytes of footer and trailer.
	Bytes       int64 `json:"bytes"`
	DataBytes   int64 `json:"data"`
	FooterBytes int64 `json:"footer"`
	// CRC32C is the Castagnoli checksum of the whole object.
	CRC32C uint32 `json:"crc32c"`
	// Records is the number of records, Batches of record batches.
	Records int64 `json:"records"`
	Batches int64 `json:"batches,omitempty"`
	// MinTimestamp and MaxTimestamp over the records; both kafka.NoTimestamp when none has one. A minimum
	// of kafka.NoTimestamp under another maximum is not known: nothing may be pruned by it.
	MinTimestamp kafka.Timestamp `json:"min_ts"`
	MaxTimestamp kafka.Timestamp `json:"max_ts"`
	// Format is the version of the segment format, Mode how it is stored; empty means record batches
	// as they were sent.
	Format uint16 `json:"format"`
	Mode   string `json:"mode,omitempty"`
}

// Key is the object's key.
func (e Entry) Key(tp kafka.TopicPartition) string {
	return SegmentName{TP: tp, BaseOffset: e.BaseOffset, LeaderEpoch: e.LeaderEpoch, UID: e.UID}.Key()
}

// Range is [BaseOffset, NextOffset).
func (e Entry) Range() kafka.OffsetRange {
	return kafka.OffsetRange{Base: e.BaseOffset, Next: e.NextOffset}
}

// Validate holds the fields against their bounds; ErrInvalid names the first that breaks them.
func (e Entry) Validate() error {
	switch {
	case e.BaseOffset < 0 || e.NextOffset <= e.BaseOffset:
		return fmt.Errorf("%w: segment holds offsets %s", ErrInvalid, e.Range())
	case e.LeaderEpoch < 0:
		return fmt.Errorf("%w: segment of leader epoch %d", ErrInvalid, e.LeaderEpoch)
	case !ValidUID(e.UID):
		return fmt.Errorf("%w: segment uid %q", ErrInvalid, e.UID)
	case e.DataBytes < 0 || e.FooterBytes < 0 || e.Bytes != e.DataBytes+e.FooterBytes:
		return fmt.Errorf("%w: segment of %d bytes has %d of data and %d of footer",
			ErrInvalid, e.Bytes, e.DataBytes, e.FooterBytes)
	case e.Records < 0 || e.Batches < 0:
		return fmt.Errorf("%w: segment of %d records in %d batches", ErrInvalid, e.Records, e.Batches)
	case e.MinTimestamp < kafka.NoTimestamp || e.MaxTimestamp < e.MinTimestamp:
		return fmt.Errorf("%w: segment has timestamps %d..%d", ErrInvalid, e.MinTimestamp, e.MaxTimestamp)
	}
	return nil
}
