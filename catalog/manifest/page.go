package manifest

import (
	"fmt"
	"sort"

	"github.com/varve-log/varve/kafka"
)

// PageRef refers to a page and summarises the entries below it.
type PageRef struct {
	UID         string            `json:"uid"`
	LeaderEpoch kafka.LeaderEpoch `json:"epoch"`
	// Index says that the page holds references to pages, not entries.
	Index bool `json:"index,omitempty"`
	// BaseOffset and NextOffset bound all entries below.
	BaseOffset kafka.Offset `json:"base"`
	NextOffset kafka.Offset `json:"next"`
	// Count is the number of items in the page itself, Segments the number of entries below.
	Count    int   `json:"count"`
	Segments int64 `json:"segments"`
	// Bytes, DataBytes and Records are sums over the entries below.
	Bytes     int64 `json:"bytes"`
	DataBytes int64 `json:"data"`
	Records   int64 `json:"records"`
	// MinTimestamp and MaxTimestamp bound the entries below; both kafka.NoTimestamp when none has one. A
	// minimum of kafka.NoTimestamp under another maximum is not known.
	MinTimestamp kafka.Timestamp `json:"min_ts"`
	MaxTimestamp kafka.Timestamp `json:"max_ts"`
	// RunningMaxTimestamp is the highest timestamp of this page and of all before it, expired ones
	// included. It never falls from page to page, so a search by time can be binary.
	RunningMaxTimestamp kafka.Timestamp `json:"run_max_ts"`
}

// Key is the page's object key.
func (r PageRef) Key(tp kafka.TopicPartition) string {
	return PageName{TP: tp, LeaderEpoch: r.LeaderEpoch, UID: r.UID}.Key()
}

// Page is an immutable object with either entries or references, in offset order.
type Page struct {
	Topic     kafka.TopicID `json:"topic"`
	Partition int32         `json:"partition"`
	UID       string        `json:"uid"`
	Entries   []Entry       `json:"entries,omitempty"`
	Refs      []PageRef     `json:"refs,omitempty"`
}

// NewPage is a page to be written under Ref.
type NewPage struct {
	Ref  PageRef
	Page Page
}

// summarise fills a reference to a page with these items. before is the running maximum so far.
func (p Page) summarise(epoch kafka.LeaderEpoch, before kafka.Timestamp) PageRef {
	r := PageRef{
		UID: p.UID, LeaderEpoch: epoch, Index: len(p.Refs) > 0,
		Count:        len(p.Entries) + len(p.Refs),
		MinTimestamp: kafka.NoTimestamp, MaxTimestamp: kafka.NoTimestamp,
	}
	for i, e := range p.Entries {
		r.add(i == 0, entryRef(e))
	}
	for i, c := range p.Refs {
		r.add(i == 0, c)
	}
	r.RunningMaxTimestamp = max(before, r.MaxTimestamp)
	return r
}

// entryRef is an entry as a summary of itself.
func entryRef(e Entry) PageRef {
	return PageRef{
		BaseOffset: e.BaseOffset, NextOffset: e.NextOffset, Segments: 1, Bytes: e.Bytes,
		DataBytes: e.DataBytes, Records: e.Records,
		MinTimestamp: e.MinTimestamp, MaxTimestamp: e.MaxTimestamp,
	}
}

func (r *PageRef) add(first bool, c PageRef) {
	if first {
		r.BaseOffset = c.BaseOffset
	}
	r.NextOffset = c.NextOffset
	r.Segments += c.Segments
	r.Bytes += c.Bytes
	r.DataBytes += c.DataBytes
	r.Records += c.Records
	switch {
	case c.MaxTimestamp == kafka.NoTimestamp: // says nothing about time
	case r.MaxTimestamp == kafka.NoTimestamp:
		r.MinTimestamp = c.MinTimestamp
	default: // an unknown minimum, -1, is below every other and stays
		r.MinTimestamp = min(r.MinTimestamp, c.MinTimestamp)
	}
	r.MaxTimestamp = max(r.MaxTimestamp, c.MaxTimestamp)
}

// Check holds the page against the reference that led to it and against the format; ErrCorrupt says
// what differs.
func (p Page) Check(tp kafka.TopicPartition, ref PageRef) error {
	if p.Topic != tp.Topic || p.Partition != tp.Partition || p.UID != ref.UID {
		return fmt.Errorf("%w: page %s is of %s/%d and calls itself %q",
			ErrCorrupt, ref.Key(tp), p.Topic.Hex(), p.Partition, p.UID)
	}
	if err := p.validate(); err != nil {
		return fmt.Errorf("page %s: %w", ref.Key(tp), err)
	}
	got := p.summarise(ref.LeaderEpoch, kafka.NoTimestamp)
	got.RunningMaxTimestamp = ref.RunningMaxTimestamp
	if got != ref || ref.RunningMaxTimestamp < ref.MaxTimestamp {
		return fmt.Errorf("%w: page %s does not fit its reference", ErrCorrupt, ref.Key(tp))
	}
	return nil
}

func (p Page) validate() error {
	if (len(p.Entries) == 0) == (len(p.Refs) == 0) {
		return fmt.Errorf("%w: a page holds either entries or references", ErrCorrupt)
	}
	if err := checkEntries(p.Entries); err != nil {
		return err
	}
	return checkRefs(p.Refs, false)
}

// FindEntry gives the first entry that ends above o.
func FindEntry(entries []Entry, o kafka.Offset) (Entry, bool) {
	i := sort.Search(len(entries), func(i int) bool { return entries[i].NextOffset > o })
	if i == len(entries) {
		return Entry{}, false
	}
	return entries[i], true
}
