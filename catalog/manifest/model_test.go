package manifest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/varve-log/varve/kafka"
)

// TestEditsAgreeWithAList runs random edits on a head with tiny limits and on a plain list of
// entries.
func TestEditsAgreeWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{head: New(testTP, "t"), pages: map[string]Page{}, fence: kafka.NoLeaderEpoch}
		t.Repeat(map[string]func(*rapid.T){
			"add":    m.add,
			"verify": m.verify,
			"start":  m.moveLogStart,
			"fence":  m.raiseFence,
			"spill":  m.spill,
			"sweep":  m.sweep,
			"":       m.check,
		})
	})
}

type model struct {
	head  Head
	pages map[string]Page
	now   int64 // seconds
	uids  int
	// The list: all entries that are not swept, and what the head must say.
	list     []Entry
	start    kafka.Offset
	verified kafka.Offset
	fence    kafka.LeaderEpoch
	// marks are the moves of the log start, as {offset, seconds}.
	marks [][2]int64
}

func (m *model) uid() string { m.uids++; return fmt.Sprintf("u%d", m.uids) }

func (m *model) epoch(t *rapid.T) kafka.LeaderEpoch {
	return kafka.LeaderEpoch(rapid.IntRange(max(0, int(m.fence)-1), int(m.fence)+1).Draw(t, "epoch"))
}

func (m *model) end() kafka.Offset { return m.head.SealedEndOffset }

// allowed checks the fence rule and tracks it. An edit below it must not have been done.
func (m *model) allowed(t *rapid.T, epoch kafka.LeaderEpoch, next Head, err error) bool {
	if epoch < m.fence {
		if !errors.Is(err, ErrFenced) {
			t.Fatalf("epoch %d below fence %d: %v", epoch, m.fence, err)
		}
		return false
	}
	if err == nil {
		m.fence, m.head = epoch, next
	}
	return err == nil
}

func (m *model) add(t *rapid.T) {
	base := m.head.NextBase() - kafka.Offset(rapid.IntRange(-1, 2).Draw(t, "back"))
	next := base + kafka.Offset(rapid.IntRange(1, 9).Draw(t, "records"))
	if base < 0 {
		return
	}
	epoch := m.epoch(t)
	e := testEntry(base, next, m.uid())
	e.LeaderEpoch = epoch
	e.MinTimestamp = kafka.Timestamp(rapid.IntRange(0, 50).Draw(t, "ts"))
	e.MaxTimestamp = e.MinTimestamp + 5
	first := m.end() == 0
	fits := next > m.start && (first || base >= m.end() && base <= max(m.end(), m.start))
	h, err := m.head.AddSegment(Segment{
		Entry: e, Epochs: []kafka.EpochStart{{Epoch: epoch, StartOffset: base}},
	}, epoch)
	if !m.allowed(t, epoch, h, err) {
		if epoch >= m.fence && fits {
			t.Fatalf("add %s: %v", e.Range(), err)
		}
		return
	}
	if !fits {
		t.Fatalf("%s was added", e.Range())
	}
	if first {
		m.start, m.verified = max(m.start, base), base
	}
	m.list = append(m.list, e)
	again, err := m.head.AddSegment(Segment{Entry: e}, epoch)
	if err != nil || len(again.Tail) != len(m.head.Tail) {
		t.Fatalf("the same again: %v", err)
	}
}

func (m *model) verify(t *rapid.T) {
	if len(m.head.Tail) == 0 {
		return
	}
	upTo := rapid.SampledFrom(m.head.Tail).Draw(t, "up to").NextOffset
	epoch := m.epoch(t)
	h, err := m.head.Verify(upTo, epoch)
	if m.allowed(t, epoch, h, err) {
		m.verified = max(m.verified, upTo)
	}
}

func (m *model) moveLogStart(t *rapid.T) {
	to := kafka.Offset(rapid.IntRange(int(m.start)-2, int(m.end())+3).Draw(t, "to"))
	if to < 0 {
		return
	}
	m.now += int64(rapid.IntRange(0, 20).Draw(t, "pass"))
	epoch := m.epoch(t)
	h, err := m.head.MoveLogStart(to, epoch, time.Unix(m.now, 0))
	if m.allowed(t, epoch, h, err) && to > m.start {
		m.start = to
		m.marks = append(m.marks, [2]int64{int64(to), m.now})
	}
}

func (m *model) raiseFence(t *rapid.T) {
	epoch := m.epoch(t)
	h, err := m.head.Fence(epoch)
	m.allowed(t, epoch, h, err)
}

func (m *model) spill(t *rapid.T) {
	need, due := m.head.SpillNeeds(testLimits)
	if !due {
		return
	}
	loaded := map[string]Page{}
	for _, r := range need {
		if rapid.IntRange(0, 5).Draw(t, "have") > 0 {
			loaded[r.UID] = m.pages[r.UID]
		}
	}
	h, pages := m.head.Spill(testLimits, loaded, max(0, m.fence), time.Unix(m.now, 0), m.uid)
	for _, p := range pages {
		if err := p.Page.Check(testTP, p.Ref); err != nil {
			t.Fatal(err)
		}
		m.pages[p.Page.UID] = p.Page
	}
	m.head = h
}

func (m *model) sweep(t *rapid.T) {
	m.now += int64(rapid.IntRange(0, 20).Draw(t, "pass"))
	end := m.head.SweepableEnd(time.Unix(m.now, 0), 10*time.Second)
	for _, e := range m.list {
		if e.NextOffset <= end && !m.aged(e) {
			t.Fatalf("%s may be swept at %ds, moves were %v", e.Range(), m.now, m.marks)
		}
	}
	epoch := max(0, m.fence)
	h, gone, err := m.head.DropExpired(end, epoch)
	if !m.allowed(t, epoch, h, err) {
		t.Fatal(err)
	}
	m.list = slices.DeleteFunc(m.list, func(e Entry) bool { return e.NextOffset <= end })
	for _, r := range gone {
		if r.NextOffset > end {
			t.Fatalf("page %s is gone with live entries", r.UID)
		}
	}
}

// aged: the entry expired at least ten seconds ago.
func (m *model) aged(e Entry) bool {
	return slices.ContainsFunc(m.marks, func(mark [2]int64) bool {
		return int64(e.NextOffset) <= mark[0] && mark[1]+10 <= m.now
	})
}

func (m *model) check(t *rapid.T) {
	if err := m.head.Validate(); err != nil {
		t.Fatal(err)
	}
	raw, err := EncodeHead(m.head)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeHead(raw)
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	swept := func(e Entry) bool { return e.NextOffset <= back.SweptEnd }
	got := slices.DeleteFunc(m.entries(back), swept)
	if !slices.Equal(got, m.list) {
		t.Fatalf("the head holds %v, the list %v", got, m.list)
	}
	if back.LogStartOffset != m.start || back.VerifiedEnd != m.verified ||
		back.FenceEpoch != m.fence {
		t.Fatalf("head %+v, model %+v", back, m)
	}
	running := kafka.NoTimestamp
	for _, r := range slices.Concat(back.Indexes, back.Pages) {
		if running = max(running, r.MaxTimestamp); r.RunningMaxTimestamp < running {
			t.Fatalf("running maximum %d of page %s, want %d", r.RunningMaxTimestamp, r.UID, running)
		}
	}
}

func (m *model) entries(h Head) []Entry {
	var all []Entry
	var down func(refs []PageRef)
	down = func(refs []PageRef) {
		for _, r := range refs {
			all = append(all, m.pages[r.UID].Entries...)
			down(m.pages[r.UID].Refs)
		}
	}
	down(h.Indexes)
	down(h.Pages)
	return append(all, h.Tail...)
}
