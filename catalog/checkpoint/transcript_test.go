package checkpoint

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/varve-log/varve/kafka"
)

var testRef = Ref{Agent: 1, Number: 0}

func testTP(partition int32) kafka.TopicPartition {
	return kafka.TopicPartition{Topic: kafka.TopicID{0xab, 1}, Partition: partition}
}

// TestTranscripts replays edits of a ledger; rewrite the expectations with -rewrite.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		b := &bench{ledger: New(testRef)}
		datadriven.RunTest(t, path, b.run)
	})
}

type bench struct{ ledger Ledger }

func (b *bench) run(t *testing.T, d *datadriven.TestData) string {
	var inc, at, seq int64
	d.MaybeScanArgs(t, "inc", &inc)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "seq", &seq)
	var next Ledger
	var err error
	switch d.Cmd {
	case "save":
		var saves []Save
		size := int64(0)
		for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
			s := parseSave(t, line, Object{Incarnation: inc, Sequence: seq}, &size)
			saves = append(saves, s)
		}
		stored := Stored{Object: Object{Incarnation: inc, Sequence: seq}, Bytes: size, CRC32C: 7}
		next, err = b.ledger.Save(inc, saves, []Stored{stored}, kafka.Timestamp(at))
	case "drop":
		var p int
		d.ScanArgs(t, "p", &p)
		next, err = b.ledger.Drop(inc, []kafka.TopicPartition{testTP(int32(p))}, kafka.Timestamp(at))
	case "fence":
		next, err = b.ledger.Fence(inc)
	case "swept":
		var of int64
		d.ScanArgs(t, "of", &of)
		next, err = b.ledger.Swept(inc, []Object{{Incarnation: of, Sequence: seq}})
	case "plan":
		return b.plan(t, d)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	if err != nil {
		return err.Error() + "\n"
	}
	if err := next.Validate(); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	b.ledger = next
	return b.show()
}

// parseSave reads "<partition> epoch=E start=S <base>-<next>:<source> ...".
func parseSave(t *testing.T, line string, o Object, size *int64) Save {
	var s Save
	for i, word := range strings.Fields(line) {
		name, value, named := strings.Cut(word, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch {
		case i == 0:
			p, err := strconv.ParseInt(word, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			s.TP = testTP(int32(p))
		case named && name == "epoch":
			s.LeaderEpoch = kafka.LeaderEpoch(n)
		case named && name == "start":
			s.StartOffset = kafka.Offset(n)
		default:
			var p Part
			if _, err := fmt.Sscanf(word, "%d-%d:%d", &p.BaseOffset, &p.NextOffset, &p.SourceBytes); err != nil {
				t.Fatalf("%s: %v", word, err)
			}
			p.Object, p.Position, p.DataBytes, p.FooterBytes = o, *size, p.SourceBytes, 1
			p.Records = int64(p.NextOffset - p.BaseOffset)
			*size += p.Bytes()
			s.Parts = append(s.Parts, p)
		}
	}
	s.Epochs = []kafka.EpochStart{{Epoch: s.LeaderEpoch, StartOffset: s.Parts[0].BaseOffset}}
	return s
}

func (b *bench) plan(t *testing.T, d *datadriven.TestData) string {
	var p int
	var start, end, complete, bytes, fresh int64
	d.ScanArgs(t, "p", &p)
	d.MaybeScanArgs(t, "start", &start)
	d.ScanArgs(t, "end", &end)
	d.MaybeScanArgs(t, "complete", &complete)
	d.ScanArgs(t, "bytes", &bytes)
	d.ScanArgs(t, "new", &fresh)
	e, _ := b.ledger.Entry(testTP(int32(p)))
	return fmt.Sprintf("from %d\n", Plan(e.Parts, Log{
		StartOffset: kafka.Offset(start), EndOffset: kafka.Offset(end),
		CompleteFrom: kafka.Offset(complete), Bytes: bytes, NewBytes: fresh,
	}))
}

func (b *bench) show() string {
	var out strings.Builder
	fmt.Fprintf(&out, "incarnation %d\n", b.ledger.Incarnation)
	for _, e := range b.ledger.Entries {
		fmt.Fprintf(&out, "partition %d epoch %d at %d:", e.Partition, e.LeaderEpoch, e.SavedAt)
		for _, p := range e.Parts {
			fmt.Fprintf(&out, " %s in %d-%d", p.Range(), p.Incarnation, p.Sequence)
		}
		out.WriteString("\n")
	}
	for _, o := range b.ledger.Objects {
		fmt.Fprintf(&out, "object %d-%d of %d bytes\n", o.Incarnation, o.Sequence, o.Bytes)
	}
	for _, r := range b.ledger.Retired {
		fmt.Fprintf(&out, "retired %d-%d at %d\n", r.Incarnation, r.Sequence, r.At)
	}
	return out.String()
}
