package record

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/varve-log/varve/kafka"
)

// Rewriter makes a batch of some of another's records, as compaction does. The new batch has the
// base and last offset, the producer, the sequence numbers, the leader epoch, the codec and the
// kind of timestamps of the old one; offsets of records that went are holes. What is kept is copied
// byte for byte, unless a delete horizon is set. Use:
//
//	w.Begin(b, limits)
//	for w.Next() { if wanted(w.Record()) { w.Keep() } }
//	dst, err = w.Append(dst, kafka.NoTimestamp)
//
// The zero value is ready. A Rewriter belongs to one goroutine and keeps its memory; Close gives
// what it inflated back.
type Rewriter struct {
	it      Iterator
	batch   Batch
	records []byte // of the whole batch, inflated
	spans   []span // what is kept of records, ascending; neighbours are one
	at      span   // the record that Next moved to
	kept    int32
	max     kafka.Timestamp
	scratch []byte
}

// span is a half-open range of bytes.
type span struct{ from, to int }

// Begin begins to walk b, of which nothing is kept yet. b must stay as it is until Append returns.
func (w *Rewriter) Begin(b Batch, l Limits) {
	w.batch, w.spans, w.kept, w.max = b, w.spans[:0], 0, kafka.NoTimestamp
	w.it.Reset(b, l)
	w.records = w.it.rest
	w.at = span{}
}

// Next moves to the next record. False means the end, or an error that Err and Append tell.
func (w *Rewriter) Next() bool {
	from := len(w.records) - len(w.it.rest)
	if !w.it.NextKey() {
		return false
	}
	w.at = span{from: from, to: len(w.records) - len(w.it.rest)}
	return true
}

// Record is the record that Next moved to, without its headers.
func (w *Rewriter) Record() Record { return w.it.record }

// Keep takes the record that Next moved to over into the new batch.
func (w *Rewriter) Keep() {
	if n := len(w.spans); n > 0 && w.spans[n-1].to == w.at.from {
		w.spans[n-1].to = w.at.to
	} else {
		w.spans = append(w.spans, w.at)
	}
	w.kept++
	w.max = max(w.max, w.it.record.Timestamp)
}

// Kept is the number of records kept so far.
func (w *Rewriter) Kept() int { return int(w.kept) }

// Err is what ended the walk early, see Iterator.Err.
func (w *Rewriter) Err() error { return w.it.err }

// Close gives the inflated bytes back. The rewriter can begin again afterwards.
func (w *Rewriter) Close() {
	w.it.Close()
	w.batch, w.records = nil, nil
}

// Append appends the new batch to dst. When every record was kept and no horizon is to be set, that
// is the old one as it is. Without any record it is an empty batch that only tells offsets and
// producer. horizon, unless kafka.NoTimestamp, becomes the delete horizon; otherwise the old one's
// stays.
//
// Errors: ErrCorrupt and ErrTooLarge from the walk, which must have come to its end; ErrInvalid
// when the batch would be too large.
func (w *Rewriter) Append(dst []byte, horizon kafka.Timestamp) ([]byte, error) {
	if w.it.err != nil {
		return dst, w.it.err
	}
	switch {
	case w.kept == 0:
		return w.appendEmpty(dst), nil
	case w.kept == w.batch.Count() && horizon == kafka.NoTimestamp:
		return append(dst, w.batch...), nil
	}
	start := len(dst)
	dst = append(dst, w.batch[:HeaderSize]...)
	dst, err := w.appendRecords(dst, horizon)
	if err != nil {
		return dst[:start], err
	}
	if len(dst)-start > math.MaxInt32 {
		return dst[:start], fmt.Errorf("%w: batch of %d bytes", ErrInvalid, len(dst)-start)
	}
	out := Batch(dst[start:])
	if horizon != kafka.NoTimestamp {
		out.putAttributes(out.Attributes() | attrDeleteHorizon)
		binary.BigEndian.PutUint64(out[posBaseTimestamp:], uint64(horizon))
	}
	out.close(w.kept, w.max)
	return dst, nil
}

// appendEmpty appends a batch without records, as DefaultRecordBatch.writeEmptyHeader of Kafka.
func (w *Rewriter) appendEmpty(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, w.batch[:HeaderSize]...)
	out := Batch(dst[start:])
	out.putAttributes(out.Attributes() &^ (attrCodecMask | attrDeleteHorizon))
	noTimestamp := kafka.NoTimestamp
	binary.BigEndian.PutUint64(out[posBaseTimestamp:], uint64(noTimestamp))
	out.close(0, w.batch.MaxTimestamp())
	return dst
}

// appendRecords appends what is kept, compressed as the old batch was.
func (w *Rewriter) appendRecords(dst []byte, horizon kafka.Timestamp) ([]byte, error) {
	if w.batch.Codec() == None {
		return w.appendPlain(dst, horizon), nil
	}
	plain := w.appendPlain(w.scratch[:0], horizon)
	if cap(plain) <= keptBytesMax {
		w.scratch = plain
	}
	compressed, err := deflate(w.batch.Codec(), plain)
	if err != nil {
		return dst, fmt.Errorf("compress %d records with %s: %w", w.kept, w.batch.Codec(), err)
	}
	return append(dst, compressed...), nil
}

func (w *Rewriter) appendPlain(dst []byte, horizon kafka.Timestamp) []byte {
	if horizon == kafka.NoTimestamp {
		for _, s := range w.spans {
			dst = append(dst, w.records[s.from:s.to]...)
		}
		return dst
	}
	shift := int64(w.batch.BaseTimestamp() - horizon)
	for _, s := range w.spans {
		for rest := w.records[s.from:s.to]; len(rest) > 0; {
			dst, rest = appendShifted(dst, rest, shift)
		}
	}
	return dst
}

// appendShifted appends the first record of rest, which was parsed once, with another timestamp
// delta.
func appendShifted(dst, rest []byte, shift int64) (out, left []byte) {
	size, at := varint(rest, 0)
	end := at + int(size)
	attributes := rest[at]
	delta, tail := varint(rest, at+1)
	delta += shift
	var small [binary.MaxVarintLen64]byte
	n := binary.PutVarint(small[:], delta)
	dst = binary.AppendVarint(dst, int64(1+n+end-tail))
	dst = append(dst, attributes)
	dst = append(dst, small[:n]...)
	return append(dst, rest[tail:end]...), rest[end:]
}

// putAttributes writes the attributes; the CRC is the caller's.
func (b Batch) putAttributes(a int16) {
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(a))
}

// close writes what follows from the records: length, count, max timestamp, CRC.
func (b Batch) close(count int32, maxTimestamp kafka.Timestamp) {
	binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-lengthOverhead))
	binary.BigEndian.PutUint32(b[posCount:], uint32(count))
	b.putMaxTimestamp(maxTimestamp)
}
