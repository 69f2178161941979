package manifest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/kafka"
)

var (
	testTP     = kafka.TopicPartition{Topic: kafka.TopicID{0xab, 1}, Partition: 3}
	testLimits = Limits{
		TailMax: 4, TailSpill: 2, PageEntries: 4, PagesMax: 3, PagesSpill: 2, IndexRefs: 3,
	}
)

// TestTranscripts replays edits of a manifest; rewrite the expectations with -rewrite.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		b := &bench{head: New(testTP, "flights"), pages: map[string]Page{}}
		datadriven.RunTest(t, path, b.run)
	})
}

// bench is a manifest with its pages and a clock in seconds.
type bench struct {
	head  Head
	pages map[string]Page
	uids  int
}

func (b *bench) run(t *testing.T, d *datadriven.TestData) string {
	var epoch, at, grace int
	to := int64(-1)
	d.MaybeScanArgs(t, "epoch", &epoch)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "grace", &grace)
	d.MaybeScanArgs(t, "to", &to)
	now := time.UnixMilli(int64(at) * 1000)
	le := kafka.LeaderEpoch(epoch)
	var next Head
	var err error
	switch d.Cmd {
	case "add":
		next, err = b.add(t, d, le)
	case "verify":
		next, err = b.head.Verify(kafka.Offset(to), le)
	case "move-log-start":
		next, err = b.head.MoveLogStart(kafka.Offset(to), le, now)
	case "fence":
		next, err = b.head.Fence(le)
	case "delete":
		next = b.head.Delete(now)
	case "name-ledger":
		var of checkpoint.Ref
		d.ScanArgs(t, "agent", &of.Agent)
		d.ScanArgs(t, "ledger", &of.Number)
		next, err = b.head.NameLedger(of, le)
	case "spill":
		return b.spill(le, now)
	case "sweepable":
		return fmt.Sprintf("%d\n", b.head.SweepableEnd(now, time.Duration(grace)*time.Second))
	case "drop-expired":
		var gone []PageRef
		next, gone, err = b.head.DropExpired(kafka.Offset(to), le)
		if err == nil {
			b.head = next
			return showRefs("gone", gone) + b.show()
		}
	case "epoch-end":
		e, end, ok := b.head.EpochEnd(le)
		return fmt.Sprintf("%d ends at %d, %v\n", e, end, ok)
	case "show":
		return b.show()
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	if err != nil {
		return err.Error() + "\n"
	}
	if err := next.Validate(); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	b.head = next
	return b.show()
}

func (b *bench) add(t *testing.T, d *datadriven.TestData, epoch kafka.LeaderEpoch) (Head, error) {
	var base, next, sealed int64
	ts, uid := int64(0), ""
	d.ScanArgs(t, "base", &base)
	d.ScanArgs(t, "next", &next)
	d.MaybeScanArgs(t, "ts", &ts)
	d.MaybeScanArgs(t, "uid", &uid)
	sealed = int64(epoch)
	d.MaybeScanArgs(t, "sealed", &sealed)
	if uid == "" {
		uid = fmt.Sprintf("s%d", base)
	}
	e := testEntry(kafka.Offset(base), kafka.Offset(next), uid)
	e.LeaderEpoch = kafka.LeaderEpoch(sealed)
	e.MinTimestamp, e.MaxTimestamp = kafka.Timestamp(ts), kafka.Timestamp(ts+9)
	epochs := []kafka.EpochStart{{Epoch: e.LeaderEpoch, StartOffset: e.BaseOffset}}
	return b.head.AddSegment(Segment{Entry: e, Epochs: epochs}, epoch)
}

func testEntry(base, next kafka.Offset, uid string) Entry {
	n := int64(next - base)
	return Entry{
		BaseOffset: base, NextOffset: next, UID: uid, Bytes: 10*n + 5, DataBytes: 10 * n, FooterBytes: 5,
		CRC32C: uint32(base), Records: n, Batches: 1, Format: 1,
	}
}

func (b *bench) spill(epoch kafka.LeaderEpoch, at time.Time) string {
	need, due := b.head.SpillNeeds(testLimits)
	if !due {
		return "not due\n"
	}
	loaded := map[string]Page{}
	for _, r := range need {
		loaded[r.UID] = b.pages[r.UID]
	}
	h, pages := b.head.Spill(testLimits, loaded, epoch, at, func() string {
		b.uids++
		return fmt.Sprintf("p%d", b.uids)
	})
	var out strings.Builder
	for _, p := range pages {
		b.pages[p.Page.UID] = p.Page
		if err := p.Page.Check(testTP, p.Ref); err != nil {
			return err.Error() + "\n"
		}
		out.WriteString(showRefs("write", []PageRef{p.Ref}))
	}
	if err := h.Validate(); err != nil {
		return err.Error() + "\n"
	}
	b.head = h
	return out.String() + b.show()
}

func (b *bench) show() string {
	h := b.head
	var out strings.Builder
	fmt.Fprintf(&out, "log start %d, sealed end %d, verified %d, swept %d, fence %d",
		h.LogStartOffset, h.SealedEndOffset, h.VerifiedEnd, h.SweptEnd, h.FenceEpoch)
	if h.Deleted {
		out.WriteString(", deleted")
	}
	if h.Checkpoint != nil {
		fmt.Fprintf(&out, ", ledger %d of agent %d, writers of format %d",
			h.Checkpoint.Number, h.Checkpoint.Agent, h.MinWriter())
	}
	out.WriteString("\n")
	for _, e := range h.Epochs {
		fmt.Fprintf(&out, "epoch %d from %d\n", e.Epoch, e.StartOffset)
	}
	for _, m := range h.Expired {
		fmt.Fprintf(&out, "expired below %d at %ds\n", m.Below, m.At/1000)
	}
	for _, r := range h.Retired {
		fmt.Fprintf(&out, "retired %s at %ds\n", r, r.At/1000)
	}
	out.WriteString(showRefs("index", h.Indexes))
	out.WriteString(showRefs("page", h.Pages))
	for _, e := range h.Tail {
		fmt.Fprintf(&out, "tail %s %d-%s\n", e.Range(), e.LeaderEpoch, e.UID)
	}
	return out.String()
}

func showRefs(what string, refs []PageRef) string {
	var out strings.Builder
	for _, r := range refs {
		fmt.Fprintf(&out, "%s %d-%s [%d,%d) of %d, time %d..%d, running %d\n", what, r.LeaderEpoch, r.UID,
			r.BaseOffset, r.NextOffset, r.Count, r.MinTimestamp, r.MaxTimestamp, r.RunningMaxTimestamp)
	}
	return out.String()
}
