package main

import (
	"fmt"
	"sync"
)

// place is where a record was acked.
type place struct {
	partition int32
	offset    int64
}

// book keeps what was acked, by the record's id, and what was consumed.
type book struct {
	mu    sync.Mutex
	acked map[string]place
	// failed are errors that an idempotent producer must never get.
	failed []error
}

func newBook() *book { return &book{acked: map[string]place{}} }

func (b *book) ack(id string, p place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acked[id] = p
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = append(b.failed, err)
}

func (b *book) ackedCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.acked)
}

// compare holds what was consumed of the partitions, from the offset in froms on, against what was
// acked before the reading began.
func (b *book) compare(acked map[string]place, found map[string]place, froms []int64) error {
	for id, want := range acked {
		if want.offset < froms[want.partition] {
			continue
		}
		got, there := found[id]
		if !there {
			return fmt.Errorf("record %s was acked at partition %d offset %d and is lost",
				id, want.partition, want.offset)
		}
		if got != want {
			return fmt.Errorf("record %s was acked at partition %d offset %d and is at %d, %d",
				id, want.partition, want.offset, got.partition, got.offset)
		}
	}
	return nil
}

// snapshot is a copy of what is acked now.
func (b *book) snapshot() (map[string]place, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.failed) > 0 {
		return nil, b.failed[0]
	}
	acked := make(map[string]place, len(b.acked))
	for id, p := range b.acked {
		acked[id] = p
	}
	return acked, nil
}
