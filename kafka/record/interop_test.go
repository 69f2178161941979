package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

var franzCodecs = map[Codec]kgo.CompressionCodec{
	Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(), LZ4: kgo.Lz4Compression(),
	Zstd: kgo.ZstdCompression(),
}

// franzBatch makes a batch with the structs and compressors of franz-go alone.
func franzBatch(t *testing.T, c Codec) Batch {
	t.Helper()
	var records []byte
	for i := range 300 {
		r := kmsg.Record{
			TimestampDelta64: int64(i%7*1000 - 2000), OffsetDelta: int32(i),
			Key: fmt.Appendf(nil, "key %d", i), Value: bytes.Repeat([]byte("value "), i),
			Headers: []kmsg.Header{{Key: "trace", Value: []byte{1, 2, 3}}, {Key: "empty"}},
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1) // of the length's own zero
		records = r.AppendTo(records)
	}
	if c != None {
		compressor, err := kgo.DefaultCompressor(franzCodecs[c])
		if err != nil {
			t.Fatal(err)
		}
		compressed, used := compressor.Compress(new(bytes.Buffer), records)
		if Codec(used) != c {
			t.Fatalf("franz-go used codec %d for %s", used, c)
		}
		records = bytes.Clone(compressed)
	}
	b := kmsg.RecordBatch{
		FirstOffset: 77, Length: int32(HeaderSize - lengthOverhead + len(records)),
		PartitionLeaderEpoch: 3, Magic: 2, Attributes: int16(c), LastOffsetDelta: 299,
		FirstTimestamp: 1_700_000_000_000, MaxTimestamp: 1_700_000_004_000,
		ProducerID: 9, ProducerEpoch: 2, FirstSequence: 40, NumRecords: 300, Records: records,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[posCRC:], crc32.Checksum(raw[posAttributes:], castagnoli))
	return raw
}

func TestBatchesOfFranzGoRead(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		b := franzBatch(t, c)
		if err := b.Validate(); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		if b.BaseOffset() != 77 || b.LastOffset() != 376 || b.NextOffset() != 377 ||
			b.LeaderEpoch() != 3 || b.Codec() != c || b.ProducerID() != 9 || b.ProducerEpoch() != 2 ||
			b.BaseSequence() != 40 || b.LastSequence() != 339 || b.Count() != 300 ||
			b.Size() != len(b) {
			t.Fatalf("%s: header read as %v", c, []byte(b[:HeaderSize]))
		}
		it := b.Records(DefaultLimits())
		for i := range 300 {
			want := Record{
				Offset: kafka.Offset(77 + i), Timestamp: kafka.Timestamp(1_699_999_998_000 + i%7*1000),
				Key: fmt.Appendf(nil, "key %d", i), Value: bytes.Repeat([]byte("value "), i),
				Headers: []Header{{"trace", []byte{1, 2, 3}}, {"empty", nil}},
			}
			if !it.Next() {
				t.Fatalf("%s: record %d: %v", c, i, it.Err())
			}
			if got := it.Record(); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: record %d is\n%+v, want\n%+v", c, i, got, want)
			}
		}
		if it.Next() || it.Err() != nil {
			t.Fatalf("%s: more records, or %v", c, it.Err())
		}
		it.Close()
	}
}

func TestFranzGoReadsOurBatches(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		var b kmsg.RecordBatch
		if err := b.ReadFrom(build(t, c, 40)); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		records, err := kgo.DefaultDecompressor().Decompress(b.Records, kgo.CompressionCodecType(c))
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		for i := range 40 {
			length, n := binary.Varint(records)
			var r kmsg.Record
			if err := r.ReadFrom(records[:n+int(length)]); err != nil {
				t.Fatalf("%s: record %d: %v", c, i, err)
			}
			if string(r.Key) != fmt.Sprintf("k%d", i) || r.OffsetDelta != int32(i) ||
				r.TimestampDelta64 != int64(i) || len(r.Headers) != 1 {
				t.Fatalf("%s: record %d is %+v", c, i, r)
			}
			records = records[n+int(length):]
		}
		if len(records) > 0 {
			t.Fatalf("%s: %d bytes after the records", c, len(records))
		}
	}
}

func TestFranzGoReadsOurMarkers(t *testing.T) {
	abort := NewMarker(Abort, 8, 3, 21, 1000)
	change := NewLeaderChange(2, []int32{1, 2, 3}, 1000)
	for _, b := range []Batch{abort, change} {
		if err := b.Validate(); err != nil || !b.IsControl() {
			t.Fatalf("control %v, %v", b.IsControl(), err)
		}
	}
	key, value := controlRecord(t, abort)
	var end kmsg.EndTxnMarker
	if err := end.ReadFrom(value); err != nil || end.CoordinatorEpoch != 21 {
		t.Fatalf("marker %+v, %v", end, err)
	}
	if key.Type != kmsg.ControlRecordKeyTypeAbort || !abort.IsTransactional() {
		t.Fatalf("type %v, transactional %v", key.Type, abort.IsTransactional())
	}
	// franz-go calls type 2 otherwise; it is Kafka's LEADER_CHANGE.
	key, value = controlRecord(t, change)
	var leader kmsg.LeaderChangeMessage
	if err := leader.ReadFrom(value); err != nil || leader.LeaderID != 2 ||
		len(leader.Voters) != 3 || leader.GrantingVoters[2].VoterID != 3 {
		t.Fatalf("leader change %+v, %v", leader, err)
	}
	if key.Type != 2 || change.IsTransactional() {
		t.Fatalf("type %v, transactional %v", key.Type, change.IsTransactional())
	}
}

func controlRecord(t *testing.T, b Batch) (key kmsg.ControlRecordKey, value []byte) {
	t.Helper()
	it := b.Records(DefaultLimits())
	defer it.Close()
	if !it.Next() {
		t.Fatal(it.Err())
	}
	r := it.Record()
	if err := key.ReadFrom(r.Key); err != nil {
		t.Fatal(err)
	}
	m, epoch, ok := ParseMarker(r)
	if ok != (key.Type <= kmsg.ControlRecordKeyTypeCommit) || ok && (m != Abort || epoch != 21) {
		t.Fatalf("ParseMarker gives %d, %d, %v", m, epoch, ok)
	}
	return key, r.Value
}
