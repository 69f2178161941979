package catalog

import (
	"fmt"
	"testing"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
)

// big is a cluster of 200,000 partitions in 2,000 topics, with a snapshot.
func big(b *testing.B) (*mem.Store, *Catalog) {
	store := mem.New()
	c, err := Open(b.Context(), store, Options{Create: true, Register: quick()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	var changes []cluster.Change
	for id := range int32(3) {
		changes = append(changes, cluster.RegisterAgent{
			Agent: cluster.Agent{ID: id, DiskUUID: fmt.Sprint("d", id), FormatMax: 1},
		})
	}
	for i := range 2000 {
		t := cluster.CreateTopic{ID: NewTopicID(), Name: fmt.Sprint("t", i)}
		for p := range int32(100) {
			t.Assignments = append(t.Assignments, []int32{p % 3, (p + 1) % 3, (p + 2) % 3})
		}
		changes = append(changes, t)
	}
	if _, err := c.Commit(b.Context(), changes...); err != nil {
		b.Fatal(err)
	}
	if err := c.Snapshot(b.Context()); err != nil {
		b.Fatal(err)
	}
	return store, c
}

func BenchmarkOpen200kPartitions(b *testing.B) {
	store, _ := big(b)
	for b.Loop() {
		if _, err := OpenReader(b.Context(), store); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit600Of200kPartitions(b *testing.B) {
	_, c := big(b)
	for b.Loop() {
		var changes cluster.SetPartitions
		for i, t := range c.State().Topics()[:600] {
			tp := kafka.TopicPartition{Topic: t.ID, Partition: int32(i % 100)}
			p := t.Partitions[tp.Partition]
			p.LeaderEpoch++
			changes = append(changes, cluster.SetPartition{TP: tp, Partition: p})
		}
		if _, err := c.Commit(b.Context(), changes); err != nil {
			b.Fatal(err)
		}
	}
}
