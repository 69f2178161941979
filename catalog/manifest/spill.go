package manifest

import (
	"fmt"
	"slices"
	"time"

	"github.com/varve-log/varve/kafka"
)

// Limits bound the parts of a manifest. All are at least 1.
type Limits struct {
	// TailMax is how many entries the head holds before the oldest TailSpill of them move to a page.
	TailMax, TailSpill int
	// PageEntries is how many entries a full page has.
	PageEntries int
	// PagesMax is how many page references the head holds before PagesSpill of them move to an index
	// page of up to IndexRefs references.
	PagesMax, PagesSpill, IndexRefs int
}

// DefaultLimits keeps a head below 64 KiB with a million segments.
func DefaultLimits() Limits {
	return Limits{
		TailMax: 128, TailSpill: 64, PageEntries: 1024,
		PagesMax: 96, PagesSpill: 64, IndexRefs: 1024,
	}
}

// SpillNeeds tells whether the tail is due to spill, and which pages the spill goes on from: they
// are to be loaded and given to Spill.
func (h Head) SpillNeeds(l Limits) (load []PageRef, due bool) {
	if len(h.Tail) < l.TailMax || h.spillable(l) == 0 {
		return nil, false
	}
	if r, ok := lastOpen(h.Pages, l.PageEntries); ok && h.canRetire() {
		load = append(load, r)
	}
	if len(h.Pages) >= l.PagesMax {
		if r, ok := lastOpen(h.Indexes, l.IndexRefs); ok && h.canRetire() {
			load = append(load, r)
		}
	}
	return load, true
}

// Spill moves verified entries from the tail to pages. loaded holds the pages of SpillNeeds by UID;
// one that is missing is not gone on from. uid gives fresh unique names; the pages that it names
// are in epoch, the leader's. Replaced pages retire as of at, by the store's clock. The returned
// pages must be written before the head is.
func (h Head) Spill(
	l Limits, loaded map[string]Page, epoch kafka.LeaderEpoch, at time.Time, uid func() string,
) (Head, []NewPage) {
	s := spiller{h: h, limits: l, loaded: loaded, epoch: epoch, at: kafka.TimestampOf(at), uid: uid}
	if len(h.Pages) >= l.PagesMax {
		s.spillPages()
	}
	s.spillTail()
	return s.h, s.pages
}

type spiller struct {
	h      Head
	limits Limits
	loaded map[string]Page
	epoch  kafka.LeaderEpoch
	at     kafka.Timestamp
	uid    func() string
	pages  []NewPage
}

func (s *spiller) spillTail() {
	n := s.h.spillable(s.limits)
	if n == 0 {
		return
	}
	entries := slices.Clone(s.h.Tail[:n])
	refs := slices.Clone(s.h.Pages)
	if r, ok := lastOpen(refs, s.limits.PageEntries); ok && s.retire(r) {
		entries = slices.Concat(s.loaded[r.UID].Entries, entries)
		refs = refs[:len(refs)-1]
	}
	for chunk := range slices.Chunk(entries, s.limits.PageEntries) {
		refs = append(refs, s.write(Page{Entries: chunk}, append(slices.Clone(s.h.Indexes), refs...)))
	}
	s.h.Pages = refs
	s.h.Tail = s.h.Tail[n:]
}

func (s *spiller) spillPages() {
	n := min(s.limits.PagesSpill, len(s.h.Pages)-1)
	if n < 1 {
		return
	}
	moved := slices.Clone(s.h.Pages[:n])
	refs := slices.Clone(s.h.Indexes)
	if r, ok := lastOpen(refs, s.limits.IndexRefs); ok && s.retire(r) {
		moved = slices.Concat(s.loaded[r.UID].Refs, moved)
		refs = refs[:len(refs)-1]
	}
	for chunk := range slices.Chunk(moved, s.limits.IndexRefs) {
		refs = append(refs, s.write(Page{Refs: chunk}, refs))
	}
	s.h.Indexes = refs
	s.h.Pages = s.h.Pages[n:]
}

// write makes a page after those that before refers to.
func (s *spiller) write(p Page, before []PageRef) PageRef {
	p.Topic, p.Partition, p.UID = s.h.Topic, s.h.Partition, s.uid()
	running := kafka.NoTimestamp
	if n := len(before); n > 0 {
		running = before[n-1].RunningMaxTimestamp
	}
	ref := p.summarise(s.epoch, running)
	s.pages = append(s.pages, NewPage{Ref: ref, Page: p})
	return ref
}

// retire lists a page that is about to be replaced; false when it was not loaded or the list is
// full.
func (s *spiller) retire(r PageRef) bool {
	if _, ok := s.loaded[r.UID]; !ok || !s.h.canRetire() {
		return false
	}
	s.h.Retired = append(slices.Clip(s.h.Retired),
		Retired{UID: r.UID, LeaderEpoch: r.LeaderEpoch, At: s.at})
	return true
}

// canRetire leaves room for the two pages that one spill replaces.
func (h Head) canRetire() bool { return len(h.Retired)+2 <= RetiredMax }

// spillable counts the tail's oldest entries that are verified, at most TailSpill.
func (h Head) spillable(l Limits) int {
	n := 0
	for n < min(len(h.Tail), l.TailSpill) && h.Tail[n].NextOffset <= h.VerifiedEnd {
		n++
	}
	return n
}

// lastOpen is the last reference, if its page has room.
func lastOpen(refs []PageRef, full int) (PageRef, bool) {
	if len(refs) == 0 || refs[len(refs)-1].Count >= full {
		return PageRef{}, false
	}
	return refs[len(refs)-1], true
}

// Key is the replaced page's object key.
func (r Retired) Key(tp kafka.TopicPartition) string {
	return PageName{TP: tp, LeaderEpoch: r.LeaderEpoch, UID: r.UID}.Key()
}

// String names the page for people.
func (r Retired) String() string { return fmt.Sprintf("page %d-%s", r.LeaderEpoch, r.UID) }
