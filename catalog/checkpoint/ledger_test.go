package checkpoint

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/varve-log/varve/kafka"
)

var writeGolden = flag.Bool("write-golden", false,
	"write golden files that do not exist; existing ones are never rewritten")

func testPart(o Object, position int64, base, next kafka.Offset) Part {
	return Part{
		Object: o, Position: position, DataBytes: 9, FooterBytes: 1, CRC32C: 5,
		BaseOffset: base, NextOffset: next, Records: 1, SourceBytes: 20,
	}
}

// goldenLedger uses every field.
func goldenLedger(t *testing.T) Ledger {
	l := New(testRef)
	for seq := range int64(3) {
		o := Object{Incarnation: 7, Sequence: seq + 1}
		base := kafka.Offset(10 * max(0, seq-1))
		var err error
		l, err = l.Save(7, []Save{
			{
				TP: testTP(0), TopicName: "orders", LeaderEpoch: 4,
				Epochs: []kafka.EpochStart{{Epoch: 2, StartOffset: 0}, {Epoch: 4, StartOffset: 3}},
				Parts:  []Part{testPart(o, 0, base, base+10)},
			},
			{TP: testTP(1), TopicName: "orders", LeaderEpoch: 4, Parts: []Part{testPart(o, 10, 0, 8)}},
		}, []Stored{{Object: o, Bytes: 20, CRC32C: 99}}, kafka.Timestamp(1000+seq))
		if err != nil {
			t.Fatal(err)
		}
	}
	l.ForgottenAt = 12
	return l
}

// TestGoldenFile holds the decoder to the bytes that the first release wrote.
func TestGoldenFile(t *testing.T) {
	l := goldenLedger(t)
	now, err := Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "golden", "ledger-1.json")
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *writeGolden {
		raw, err = now, os.WriteFile(path, now, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(raw)
	if err != nil || !reflect.DeepEqual(got, l) {
		t.Fatalf("golden ledger reads as %+v, %v", got, err)
	}
}

func TestDecoderRefusesNewerFormats(t *testing.T) {
	if _, err := Decode([]byte(`{"format":2}`)); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
	if _, err := Decode([]byte(`{}`)); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func TestKeysAreParsedBackAndNothingElseIs(t *testing.T) {
	ref := Ref{Agent: 3, Number: 2}
	if got, o, ok := ParseKey(ref.HeadKey()); !ok || o != nil || got != ref {
		t.Fatal(got, o, ok)
	}
	object := Object{Incarnation: 12, Sequence: 5}
	if got, o, ok := ParseKey(ref.ObjectKey(object)); !ok || got != ref || *o != object {
		t.Fatal(got, o, ok)
	}
	for _, key := range []string{
		"", "checkpoints/", "checkpoints/1/head", "checkpoints/01/0/head", "checkpoints/1/0/heads",
		"checkpoints/1/0/objects/1", "checkpoints/1/0/objects/0-1", "checkpoints/1/0/objects/1-01",
		"checkpoints/-1/0/head", "checkpoints/1/0/objects/1-1-1", "checkpoints/1/0/pages/1-1",
	} {
		if _, _, ok := ParseKey(key); ok {
			t.Errorf("%q is parsed", key)
		}
	}
}

// TestEditsAgreeWithMaps runs random edits on a ledger and on plain maps of what must be there.
func TestEditsAgreeWithMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			ledger: New(testRef), incarnation: 1, parts: map[int32][]Part{}, epochs: map[int32]int{},
			alive: map[Object]bool{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"save": m.save, "drop": m.drop, "fence": m.fence, "sweep": m.sweep, "": m.check,
		})
	})
}

type model struct {
	ledger      Ledger
	incarnation int64
	sequence    int64
	now         int64
	parts       map[int32][]Part
	epochs      map[int32]int
	alive       map[Object]bool // objects in the bucket that were named and not swept
}

func (m *model) save(t *rapid.T) {
	m.sequence++
	o := Object{Incarnation: m.incarnation, Sequence: m.sequence}
	var saves []Save
	var size int64
	want := map[int32][]Part{}
	for _, p := range rapid.SliceOfNDistinct(rapid.Int32Range(0, 4), 1, 3, rapid.ID).Draw(t, "p") {
		old := m.parts[p]
		keep := rapid.IntRange(0, len(old)).Draw(t, "keep")
		from, end := kafka.Offset(0), kafka.Offset(0)
		if len(old) > 0 {
			end = old[len(old)-1].NextOffset
		}
		if keep > 0 {
			from = old[keep-1].NextOffset
		}
		next := max(from, end) + kafka.Offset(rapid.IntRange(1, 3).Draw(t, "n"))
		part := testPart(o, size, from, next)
		size += part.Bytes()
		want[p] = append(append([]Part(nil), old[:keep]...), part)
		saves = append(saves, Save{
			TP: testTP(p), LeaderEpoch: kafka.LeaderEpoch(m.epochs[p]), Parts: []Part{part},
		})
	}
	next, err := m.ledger.Save(m.incarnation, saves,
		[]Stored{{Object: o, Bytes: size}}, kafka.Timestamp(m.now))
	if err != nil {
		t.Fatal(err)
	}
	m.alive[o] = true
	m.ledger = next
	for p, parts := range want {
		m.parts[p] = parts
	}
	m.now++
}

func (m *model) drop(t *rapid.T) {
	p := rapid.Int32Range(0, 4).Draw(t, "p")
	next, err := m.ledger.Drop(m.incarnation,
		[]kafka.TopicPartition{testTP(p)}, kafka.Timestamp(m.now))
	if err != nil {
		t.Fatal(err)
	}
	m.ledger = next
	delete(m.parts, p)
}

func (m *model) fence(t *rapid.T) {
	if _, err := m.ledger.Save(m.incarnation-1, nil, nil, 0); err == nil {
		t.Fatal("a fenced incarnation saves")
	}
	m.incarnation++
	m.sequence = 0
	for p := range m.epochs {
		m.epochs[p]++
	}
	next, err := m.ledger.Fence(m.incarnation)
	if err != nil {
		t.Fatal(err)
	}
	m.ledger = next
}

func (m *model) sweep(t *rapid.T) {
	var gone []Object
	for _, r := range m.ledger.Retired {
		if rapid.Bool().Draw(t, "gone") {
			gone = append(gone, r.Object)
			delete(m.alive, r.Object)
		}
	}
	next, err := m.ledger.Swept(m.incarnation, gone)
	if err != nil {
		t.Fatal(err)
	}
	m.ledger = next
}

func (m *model) check(t *rapid.T) {
	raw, err := Encode(m.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(raw); err != nil {
		t.Fatal(err)
	}
	if len(m.ledger.Entries) != len(m.parts) {
		t.Fatalf("%d entries, want %d", len(m.ledger.Entries), len(m.parts))
	}
	known := map[Object]bool{}
	for p, parts := range m.parts {
		e, ok := m.ledger.Entry(testTP(p))
		if !ok || !reflect.DeepEqual(e.Parts, parts) {
			t.Fatalf("partition %d has %+v, want %+v", p, e.Parts, parts)
		}
		for _, part := range parts {
			known[part.Object] = true
			if !m.alive[part.Object] {
				t.Fatalf("partition %d needs an object that was swept", p)
			}
		}
	}
	for _, r := range m.ledger.Retired {
		if known[r.Object] {
			t.Fatalf("object %v is retired and needed", r.Object)
		}
		known[r.Object] = true
	}
	for o := range m.alive {
		if !known[o] {
			t.Fatalf("object %v is forgotten", o)
		}
	}
}

func TestRetiredListIsBounded(t *testing.T) {
	l := New(testRef)
	for seq := range int64(RetiredMax + 10) {
		o := Object{Incarnation: 1, Sequence: seq + 1}
		var err error
		l, err = l.Save(1, []Save{{
			TP: testTP(0), LeaderEpoch: 1, Parts: []Part{testPart(o, 0, 0, kafka.Offset(seq+1))},
		}}, []Stored{{Object: o, Bytes: 10}}, kafka.Timestamp(seq))
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(l.Retired) != RetiredMax || l.ForgottenAt == 0 {
		t.Fatalf("%d retired, forgotten at %d", len(l.Retired), l.ForgottenAt)
	}
}

func TestFullLedgerRefusesAnotherPartition(t *testing.T) {
	l := New(testRef)
	o := Object{Incarnation: 1, Sequence: 1}
	var err error
	for p := range int32(EntriesMax + 1) {
		l, err = l.Save(1, []Save{{
			TP: testTP(p), LeaderEpoch: 1, Parts: []Part{testPart(o, 0, 0, 5)},
		}}, []Stored{{Object: o, Bytes: 10}}, 0)
	}
	var which *PartitionError
	if !errors.Is(err, ErrFull) || !errors.As(err, &which) || which.TP != testTP(EntriesMax) {
		t.Fatal(err)
	}
}

// TestPlanKeepsPartsFew saves many small increments of distinct keys, as a log that is never cleaned
// gives them, and counts parts and bytes read.
func TestPlanKeepsPartsFew(t *testing.T) {
	const step, steps = 1000, 4096
	var parts []Part
	var read int64
	for i := range int64(steps) {
		end := kafka.Offset(i + 1)
		from := Plan(parts, Log{EndOffset: end, Bytes: (i + 1) * step, NewBytes: step})
		for len(parts) > 0 && parts[len(parts)-1].NextOffset > from {
			parts = parts[:len(parts)-1]
		}
		source := int64(end-from) * step
		read += source
		parts = append(parts, Part{
			BaseOffset: from, NextOffset: end, DataBytes: source, SourceBytes: source,
		})
		if len(parts) > 13 {
			t.Fatalf("%d parts after %d increments", len(parts), i+1)
		}
	}
	if most := int64(14 * step * steps); read > most {
		t.Fatalf("%d bytes read to save %d, want at most %d", read, step*steps, most)
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", "ledger-1.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":1,"agent":1,"ledger":0,"incarnation":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := Decode(raw)
		if err != nil {
			return
		}
		again, err := Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(again); err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		for _, e := range l.Entries {
			_ = fmt.Sprint(Plan(e.Parts, Log{EndOffset: e.EndOffset()}))
		}
	})
}
