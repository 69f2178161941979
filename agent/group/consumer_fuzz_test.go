package group

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// FuzzConsumerRecords loads a record of any bytes after what Kafka wrote: it is taken in or refused, and the
// machine goes on answering.
func FuzzConsumerRecords(f *testing.F) {
	b, err := os.ReadFile(captureFile)
	c := &captured{}
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	if err != nil {
		f.Fatal(err)
	}
	all := c.records(f)
	for _, r := range all {
		f.Add(r.Key, r.Value, r.Value == nil)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, tombstone bool) {
		n := 0
		m := New(DefaultConfig(), &fixedTopics{NewImage(1, c.Topics...)}, func() string {
			n++
			return fmt.Sprint("id", n)
		})
		for _, r := range all {
			if err := m.Replay(coordinator.Stored{Record: r}); err != nil {
				t.Fatal(err)
			}
		}
		r := coordinator.Record{Key: key, Value: value}
		if tombstone {
			r.Value = nil
		}
		_ = m.Replay(coordinator.Stored{Record: r})
		now := time.UnixMilli(1_000_000)
		m.Loaded(now)
		for id, e := range m.groups {
			if _, is := e.group.(*consumerGroup); is {
				m.ConsumerDescribe(now, 1, id)
			}
		}
		for range 3 {
			now = now.Add(time.Minute)
			m.Tick(now)
		}
	})
}
