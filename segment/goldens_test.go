package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// golden is what a golden file is made of.
type golden struct {
	id      ID
	data    []byte
	options WriteOptions
}

const goldenTime kafka.Timestamp = 1_000_000_000_000 // 2001-09-09

// goldens are by name: one for each thing that can be in a segment.
func goldens(t *testing.T) map[string]golden {
	t.Helper()
	id := ID{
		Topic:       kafka.TopicID{0x5e, 0xd1, 0x3e, 0x27, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		Partition:   3,
		BaseOffset:  1_000_000_000_007,
		LeaderEpoch: 9,
	}
	small := WriteOptions{BlockBytes: 4 << 10, Cluster: "c1u5ter"}
	filtered := small
	filtered.KeyFilter, filtered.SkipRecordTimes = true, true
	gaps := small
	gaps.Gaps = true
	return map[string]golden{
		"plain":        {id, plainData(t, id), plainOptions(small, id)},
		"codecs":       {id, codecData(t, id), small},
		"transactions": {id, txnData(t, id), txnOptions(small, id)},
		"append-time":  {id, appendTimeData(t, id), small},
		"compacted":    {id, compactedData(t, id), gaps},
		"filtered":     {id, codecData(t, id), filtered},
		"empty":        {id, nil, WriteOptions{Cluster: "c1u5ter"}},
	}
}

// log appends batches as a leader does.
type log struct {
	t     *testing.T
	next  kafka.Offset
	epoch kafka.LeaderEpoch
	data  []byte
}

func (l *log) add(b record.Batch) {
	b.SetBaseOffset(l.next)
	b.SetLeaderEpoch(l.epoch)
	l.next = b.NextOffset()
	l.data = append(l.data, b...)
}

func (l *log) build(b *record.Builder) record.Batch {
	l.t.Helper()
	batch, err := b.Build()
	if err != nil {
		l.t.Fatal(err)
	}
	return batch
}

// plainData has timestamps out of order, all sorts of keys, values and headers, an idempotent
// producer, and three epochs.
func plainData(t *testing.T, id ID) []byte {
	l := &log{t: t, next: id.BaseOffset, epoch: 4}
	for i := range 24 {
		b := record.NewBuilder(record.None)
		if i%3 == 0 {
			b.SetProducer(4711, 2, int32(i))
		}
		at := goldenTime + kafka.Timestamp((i*5)%24*1000)
		b.Append(at, fmt.Appendf(nil, "key %d", i), bytes.Repeat([]byte{'v', byte('0' + i)}, 200))
		b.Append(at-500, nil, []byte("null key"))
		b.Append(at+500, []byte("null value"), nil, record.Header{Key: "h", Value: []byte{0, 255}})
		b.Append(at, []byte{}, []byte{}, record.Header{Key: "", Value: nil},
			record.Header{Key: "größe", Value: []byte{}})
		l.add(l.build(b))
		if i == 9 || i == 17 {
			l.epoch += 2
		}
	}
	return l.data
}

func plainOptions(o WriteOptions, id ID) WriteOptions {
	o.Epochs = []kafka.EpochStart{
		{Epoch: 4, StartOffset: id.BaseOffset - 100},
		{Epoch: 6, StartOffset: id.BaseOffset + 40},
		{Epoch: 8, StartOffset: id.BaseOffset + 72},
	}
	o.Producers = []ProducerState{
		{
			ProducerID: 4711, Epoch: 2, LastSequence: 24, LastOffset: id.BaseOffset + 87,
			LastTimestamp: goldenTime, CurrentTxnFirstOffset: kafka.NoOffset, CoordinatorEpoch: -1,
			Batches: []ProducerBatch{
				{18, 21, id.BaseOffset + 72, id.BaseOffset + 75, goldenTime},
				{21, 24, id.BaseOffset + 84, id.BaseOffset + 87, goldenTime + 1},
			},
		},
		{ProducerID: 4712, Epoch: 0, LastSequence: kafka.NoSequence, CurrentTxnFirstOffset: 12},
	}
	return o
}

func codecData(t *testing.T, id ID) []byte {
	l := &log{t: t, next: id.BaseOffset, epoch: 9}
	for codec := record.None; codec <= record.Zstd; codec++ {
		l.add(l.build(numbered(codec, int(codec)*100)))
	}
	l.add(xerial(t, l.build(numbered(record.None, 900))))
	return l.data
}

func numbered(c record.Codec, from int) *record.Builder {
	b := record.NewBuilder(c)
	for i := range 20 {
		b.Append(goldenTime+kafka.Timestamp(from+(i*7)%20), fmt.Appendf(nil, "key %d", from+i),
			fmt.Appendf(nil, `{"n":%d,"text":"a value that compresses, a value that does"}`, from+i),
			record.Header{Key: "n", Value: fmt.Append(nil, from+i)})
	}
	return b
}

// xerial compresses a batch as the Java snappy library does, in two blocks.
func xerial(t *testing.T, plain record.Batch) record.Batch {
	t.Helper()
	records := plain[record.HeaderSize:]
	framed := []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}
	for _, part := range [][]byte{records[:len(records)/2], records[len(records)/2:]} {
		block := s2.EncodeSnappy(nil, part)
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block...)
	}
	b := append(bytes.Clone(plain[:record.HeaderSize]), framed...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[22] |= byte(record.Snappy)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// txnData has an aborted and a committed transaction, one that goes on, and a leader change.
func txnData(t *testing.T, id ID) []byte {
	l := &log{t: t, next: id.BaseOffset, epoch: 9}
	data := func(pid kafka.ProducerID, seq int32) {
		b := record.NewBuilder(record.None)
		b.Transactional = true
		b.SetProducer(pid, 1, seq)
		b.Append(goldenTime, []byte("k"), fmt.Appendf(nil, "of %d", pid))
		b.Append(goldenTime+1, []byte("k"), fmt.Appendf(nil, "of %d", pid))
		l.add(l.build(b))
	}
	data(1, 0)
	data(2, 0)
	data(1, 2)
	l.add(record.NewMarker(record.Abort, 1, 1, 5, goldenTime+9))
	l.add(record.NewMarker(record.Commit, 2, 1, 5, goldenTime+10))
	l.add(record.NewLeaderChange(1, []int32{1, 2, 3}, goldenTime+11))
	data(3, 0)
	return l.data
}

func txnOptions(o WriteOptions, id ID) WriteOptions {
	o.Aborted = []AbortedTxn{{
		ProducerID: 1, FirstOffset: id.BaseOffset, LastOffset: id.BaseOffset + 6,
		LastStableOffset: id.BaseOffset + 2,
	}}
	o.Producers = []ProducerState{{
		ProducerID: 3, Epoch: 1, LastSequence: 1, LastOffset: id.BaseOffset + 10,
		LastTimestamp: goldenTime + 1, CurrentTxnFirstOffset: id.BaseOffset + 9, CoordinatorEpoch: 5,
		Batches: []ProducerBatch{{0, 1, id.BaseOffset + 9, id.BaseOffset + 10, goldenTime + 1}},
	}}
	return o
}

func appendTimeData(t *testing.T, id ID) []byte {
	l := &log{t: t, next: id.BaseOffset, epoch: 9}
	for i, codec := range []record.Codec{record.None, record.Gzip, record.Zstd} {
		b := l.build(numbered(codec, i*100))
		b.SetAppendTime(goldenTime + kafka.Timestamp(1_000_000*(i+1)))
		l.add(b)
	}
	return l.data
}

// compactedData has gaps before, between and in batches, an empty batch, and a record without a
// timestamp.
func compactedData(t *testing.T, id ID) []byte {
	l := &log{t: t, next: id.BaseOffset + 5, epoch: 9}
	b := record.NewBuilder(record.None)
	b.Skip(2)
	b.Append(goldenTime, []byte("a"), []byte("1"))
	b.Skip(3)
	b.Append(goldenTime+1, []byte("b"), []byte("2"))
	b.Skip(1)
	l.add(l.build(b))
	b.Reset()
	b.Skip(4)
	l.add(l.build(b))
	l.next += 100
	b.Reset()
	b.Append(kafka.NoTimestamp, []byte("c"), nil)
	l.add(l.build(b))
	return l.data
}
