package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/varve-log/varve/kafka"
)

// fixCRC makes the CRC right again after the test broke a field.
func fixCRC(b Batch) { binary.BigEndian.PutUint32(b[posCRC:], b.checksum()) }

func TestValidateNamesWhatIsWrong(t *testing.T) {
	be := binary.BigEndian
	for name, c := range map[string]struct {
		change func(b Batch)
		want   error
		stored bool // a log may hold it
	}{
		"nothing":           {func(Batch) {}, nil, true},
		"flipped bit":       {func(b Batch) { b[HeaderSize+3] ^= 1 }, ErrCorrupt, false},
		"crc":               {func(b Batch) { b[posCRC] ^= 1 }, ErrCorrupt, false},
		"length":            {func(b Batch) { b[posLength+3]++ }, ErrCorrupt, false},
		"magic 1":           {func(b Batch) { b[posMagic] = 1 }, ErrMagic, false},
		"unknown attribute": {func(b Batch) { b[posAttributes] = 1; fixCRC(b) }, ErrInvalid, false},
		"codec 5":           {func(b Batch) { b[posAttributes+1] = 5; fixCRC(b) }, ErrInvalid, false},
		"count above delta": {func(b Batch) { b[posCount+3] = 11; fixCRC(b) }, ErrInvalid, false},
		"count below delta": {func(b Batch) { b[posCount+3] = 9; fixCRC(b) }, ErrInvalid, true},
		"no records":        {func(b Batch) { b[posCount+3] = 0; fixCRC(b) }, ErrInvalid, true},
		"negative count":    {func(b Batch) { b[posCount] = 0x80; fixCRC(b) }, ErrInvalid, false},
		"negative delta": {func(b Batch) {
			b[posLastOffsetDelta] = 0x80
			fixCRC(b)
		}, ErrInvalid, false},
		"last offset beyond": {func(b Batch) { b.SetBaseOffset(math.MaxInt64 - 9) }, ErrInvalid, false},
		"last offset just":   {func(b Batch) { b.SetBaseOffset(math.MaxInt64 - 10) }, nil, true},
		"negative base":      {func(b Batch) { b.SetBaseOffset(-1) }, ErrInvalid, false},
		"producer without sequence": {func(b Batch) {
			be.PutUint64(b[posProducerID:], 5)
			be.PutUint16(b[posProducerEpoch:], 0)
			fixCRC(b)
		}, ErrInvalid, true}, // a coordinator writes it
		"producer without epoch": {func(b Batch) {
			be.PutUint64(b[posProducerID:], 5)
			fixCRC(b)
		}, ErrInvalid, false},
		"transaction without producer": {func(b Batch) {
			b[posAttributes+1] |= attrTransactional
			fixCRC(b)
		}, ErrInvalid, false},
	} {
		b := build(t, None, 10)
		c.change(b)
		if err := b.Validate(); !errors.Is(err, c.want) {
			t.Errorf("%s: Validate gives %v, want %v", name, err, c.want)
		}
		if err := b.ValidateStored(); (err == nil) != c.stored {
			t.Errorf("%s: ValidateStored gives %v", name, err)
		}
	}
	if err := Batch(make([]byte, HeaderSize-1)).Validate(); !errors.Is(err, ErrTruncated) {
		t.Errorf("short header: %v", err)
	}
}

func TestNextSplitsBatches(t *testing.T) {
	a, b := build(t, None, 3), build(t, Zstd, 5)
	both := append(bytes.Clone(a), b...)
	first, rest, err := Next(both)
	if err != nil || !bytes.Equal(first, a) || !bytes.Equal(rest, b) {
		t.Fatalf("first of %d bytes, %d left, %v", len(first), len(rest), err)
	}
	if cap(first) != len(first) {
		t.Fatal("an append to the first batch would overwrite the second")
	}
	for n := range len(a) {
		if _, rest, err := Next(a[:n]); !errors.Is(err, ErrTruncated) || len(rest) != n {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for _, length := range []int32{-1, math.MinInt32, HeaderSize - lengthOverhead - 1} {
		binary.BigEndian.PutUint32(both[posLength:], uint32(length))
		if _, _, err := Next(both); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("length %d: %v", length, err)
		}
	}
	both[posMagic] = 0
	if _, _, err := Next(both); !errors.Is(err, ErrMagic) {
		t.Fatalf("magic 0: %v", err)
	}
}

func TestSequencesWrapAsInKafka(t *testing.T) {
	b := NewBuilder(None)
	b.SetProducer(1, 0, math.MaxInt32-2)
	for range 5 {
		b.Append(1, nil, nil)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Validate(); err != nil || batch.LastSequence() != 1 {
		t.Fatalf("last sequence %d, %v; want 1 after 2^31-1 and 0", batch.LastSequence(), err)
	}
	if got := build(t, None, 5).LastSequence(); got != kafka.NoSequence {
		t.Fatalf("last sequence %d without a producer", got)
	}
}

func TestLeadersFieldsAreOutsideTheCRC(t *testing.T) {
	b := build(t, Gzip, 10)
	crc := b.CRC()
	b.SetBaseOffset(1 << 40)
	b.SetLeaderEpoch(1 << 20)
	if err := b.Validate(); err != nil || b.CRC() != crc {
		t.Fatalf("CRC %08x became %08x, %v", crc, b.CRC(), err)
	}
	b.SetMaxTimestamp(1 << 41)
	if err := b.Validate(); err != nil || b.MaxTimestamp() != 1<<41 || b.CRC() == crc {
		t.Fatalf("max timestamp %d, %v", b.MaxTimestamp(), err)
	}
}

func TestCompactedBatchKeepsItsOffsets(t *testing.T) {
	b := NewBuilder(LZ4)
	b.Skip(2)
	b.Append(1, []byte("a"), nil)
	b.Skip(3)
	b.Append(2, []byte("b"), nil)
	b.Skip(1)
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	batch.SetBaseOffset(100)
	if err := batch.ValidateStored(); err != nil || batch.LastOffset() != 107 || batch.Count() != 2 {
		t.Fatalf("last offset %d, count %d, %v", batch.LastOffset(), batch.Count(), err)
	}
	if err := batch.ValidateRecords(DefaultLimits()); !errors.Is(err, ErrInvalid) {
		t.Fatalf("a producer's batch with gaps: %v", err)
	}
	it := batch.Records(DefaultLimits())
	defer it.Close()
	var got []kafka.Offset
	for it.Next() {
		got = append(got, it.Record().Offset)
	}
	if it.Err() != nil || len(got) != 2 || got[0] != 102 || got[1] != 106 {
		t.Fatalf("offsets %v, %v", got, it.Err())
	}
}
