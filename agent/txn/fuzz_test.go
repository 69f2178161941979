package txn

import (
	"testing"

	"github.com/varve-log/varve/agent/coordinator"
)

// Whatever a log holds, replaying it does not crash, and what is understood is written as it was.
func FuzzReplay(f *testing.F) {
	m := metadata{
		producer: coordinator.Producer{ID: 1000, Epoch: 3}, previousID: 999, nextID: 1001,
		timeoutMs: 60_000, state: PrepareCommit, started: 5, updated: 6, version: Version2,
		partitions: partitionSet{}.plus([]Partition{{"a", 1}, {"b", 0}, {"b", 2}}),
	}
	r := encode("id", &m)
	f.Add(r.Key, r.Value)
	f.Add(r.Key, []byte(nil))
	f.Add([]byte{0, 1, 0, 0}, []byte{0, 7})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		machine := New(DefaultConfig(), 1)
		err := machine.Replay(coordinator.Stored{Record: coordinator.Record{Key: key, Value: value}})
		if err != nil || machine.Len() == 0 {
			return
		}
		machine.Loaded(start)
		for id, e := range machine.ids {
			again := encode(id, &e.metadata)
			fresh := New(DefaultConfig(), 1)
			if err := fresh.Replay(coordinator.Stored{Record: again}); err != nil {
				t.Fatal(err)
			}
			if got, want := fresh.ids[id].text(), e.text(); got != want {
				t.Fatalf("%s is read back as %s", want, got)
			}
		}
	})
}
