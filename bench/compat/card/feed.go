package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

const feedTick = 16 * time.Millisecond // one record each: some 60 a second

func ceiling(key, version int16) *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(key, version)
	return v
}

// feed writes records to the partitions of a topic in turn until it is stopped.
type feed struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	ends [groupPartitions]int64
	errs []error
}

func startFeed(ctx context.Context, s *server, topic string) *feed {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		tick := time.NewTicker(feedTick)
		defer tick.Stop()
		var sent sync.WaitGroup
		defer sent.Wait()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			r := &kgo.Record{
				Topic: topic, Partition: int32(n % groupPartitions), Value: fmt.Appendf(nil, "r%d", n),
			}
			sent.Add(1)
			s.cl.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
				defer sent.Done()
				f.mu.Lock()
				defer f.mu.Unlock()
				if err != nil {
					f.errs = append(f.errs, err)
					return
				}
				f.ends[r.Partition] = max(f.ends[r.Partition], r.Offset+1)
			})
		}
	}()
	return f
}

// stop waits for what is under way. It may be called again.
func (f *feed) stop() error {
	f.cancel()
	<-f.done
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.errs...)
}

func (f *feed) end(partition int32) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ends[partition]
}

func (f *feed) total() (n int64) {
	for p := range int32(groupPartitions) {
		n += f.end(p)
	}
	return n
}

// spot is one record's place.
type spot struct {
	partition int32
	offset    int64
}

// undelivered are the records that no member printed.
func (m *match) undelivered() (missing []spot) {
	got := map[spot]bool{}
	for _, one := range m.members {
		for _, e := range one.seen() {
			if e.Event == "record" {
				got[spot{e.Partition, e.Offset}] = true
			}
		}
	}
	for p := range int32(groupPartitions) {
		for o := range m.feed.end(p) {
			if !got[spot{p, o}] {
				missing = append(missing, spot{p, o})
			}
		}
	}
	return missing
}

// audit checks each member's records against its assignments, and counts what came twice.
func (m *match) audit() (string, error) {
	count := map[spot]int{}
	for _, one := range m.members {
		next := map[int32]int64{} // the offset to come, of partitions that gave a record in this assignment
		var owned []int32
		for _, e := range one.seen() {
			switch e.Event {
			case "assigned":
				for p := range next {
					if !m.keepsKept || !slices.Contains(e.Partitions, p) {
						delete(next, p)
					}
				}
				owned = e.Partitions
			case "record":
				at := spot{e.Partition, e.Offset}
				count[at]++
				if !slices.Contains(owned, e.Partition) {
					return "", fmt.Errorf("%s got a record of partition %d and owned %v", one.name, e.Partition, owned)
				}
				if want, ok := next[e.Partition]; ok && e.Offset != want {
					return "", fmt.Errorf("%s got offset %d of partition %d, and %d was next",
						one.name, e.Offset, e.Partition, want)
				}
				next[e.Partition] = e.Offset + 1
			}
		}
	}
	twice := 0
	for _, n := range count {
		twice += n - 1
	}
	return fmt.Sprintf("%d records, %d of them again after a change of hands", len(count), twice), nil
}
