package agent

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/varve-log/varve/agent/coordinator"
)

// awaitInternal waits until the internal topics are saved to their ends, and counts the partitions
// that hold something.
func awaitInternal(t *testing.T, a *Agent) (partitions int) {
	t.Helper()
	await(t, "checkpoints of the internal topics", func() bool {
		partitions = 0
		for tp, p := range a.topology.Load().open {
			if !coordinator.Internal(p.Topic()) {
				continue
			}
			end := p.Log().LogEndOffset()
			if a.saver.SavedEnd(tp) != end {
				return false
			}
			if end > 0 {
				partitions++
			}
		}
		return true
	})
	return partitions
}

// TestGroupsAndTransactionsOutliveTheDisk loses the data directory under a group and transactional
// producers: topics, group offsets and fencing epochs are those of the last checkpoint.
func TestGroupsAndTransactionsOutliveTheDisk(t *testing.T) {
	for _, killed := range []bool{true, false} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.TakeOver = true
			cfg.Settings = map[string]string{
				"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3",
				"transaction.state.log.num.partitions": "3",
			}
			a := startSaving(t, cfg)
			create(t, a, "in", 2)
			create(t, a, "out", 2)
			ctx := testContext(t)
			feed := client(t, a, kgo.DefaultProduceTopic("in"))
			for i := range 20 {
				if err := feed.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			done := transform(t, a, kversion.Tip(), true)
			first := client(t, a, kgo.TransactionalID("tx"), version1(), kgo.DefaultProduceTopic("other"))
			create(t, a, "other", 2)
			if err := ended(t, first, "other", true, "one"); err != nil {
				t.Fatal(err)
			}
			id, epoch, err := first.ProducerID(ctx)
			if err != nil {
				t.Fatal(err)
			}
			offsets := committedBy(t, a)
			partitions := awaitInternal(t, a)
			for _, topic := range []string{"in", "out", "other"} {
				seal(t, a, topic)
			}
			if killed {
				a.kill()
			} else {
				stop(t, a)
			}

			a = startSaving(t, newDisk(t, cfg))
			if err := a.Ready(); err != nil {
				t.Fatal(err)
			}
			if n := restored(t, a, killed); killed && int(n) != partitions || partitions == 0 {
				t.Fatalf("%v logs restored, %d internal partitions were saved", n, partitions)
			}
			if got := committedBy(t, a); !maps.Equal(got, offsets) {
				t.Fatalf("offsets %v, want %v", got, offsets)
			}
			second := client(t, a, kgo.TransactionalID("tx"), version1(), kgo.DefaultProduceTopic("other"))
			if err := ended(t, second, "other", true, "two"); err != nil {
				t.Fatal(err)
			}
			newID, newEpoch, err := second.ProducerID(ctx)
			if err != nil || newID == id && newEpoch <= epoch {
				t.Fatalf("producer %d epoch %d after %d epoch %d: %v", newID, newEpoch, id, epoch, err)
			}
			for round := 0; done < 20; round++ {
				done += transform(t, a, kversion.Tip(), round%3 != 1)
			}
			if got := consumed(t, a, "out", 20, committed()); len(slices.Compact(got)) != 20 {
				t.Fatalf("committed: %v", got)
			}
			want := []string{"one", "two"}
			if got := consumed(t, a, "other", 2, committed()); !slices.Equal(got, want) {
				t.Fatalf("committed: %v", got)
			}
			stop(t, a)
		})
	}
}
