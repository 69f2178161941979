package group

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// captured is what Apache Kafka 4.3.1 wrote and said; TestCapture of package agent made the file.
type captured struct {
	Records []struct{ Key, Value string } // in hex; without a value: a tombstone
	Groups  []string                      // described
	Topics  []Topic
}

const captureFile = "testdata/kafka-4.3.1-consumer-groups.json"

func readCapture(t *testing.T) *captured {
	b, err := os.ReadFile(captureFile)
	c := &captured{}
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *captured) records(t testing.TB) []coordinator.Record {
	var all []coordinator.Record
	for _, r := range c.Records {
		key, err := hex.DecodeString(r.Key)
		value, err2 := hex.DecodeString(r.Value)
		if err != nil || err2 != nil {
			t.Fatalf("%v, %v", err, err2)
		}
		if len(value) == 0 {
			value = nil
		}
		all = append(all, coordinator.Record{Key: key, Value: value})
	}
	return all
}

// TestKafkasGroups loads what Kafka wrote and describes the groups as Kafka did.
func TestKafkasGroups(t *testing.T) {
	c := readCapture(t)
	m := New(DefaultConfig(), &fixedTopics{NewImage(1, c.Topics...)}, nil)
	for i, r := range c.records(t) {
		if err := m.Replay(coordinator.Stored{Record: r}); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	for i, group := range []string{"plain", "range", "regex", "static", "up", "down", "empty", "gone"} {
		var got ConsumerDescribed
		reply := m.ConsumerDescribe(time.Time{}, 0, group).Replies[0]
		if reply.Err == nil {
			got = reply.Value.(ConsumerDescribed)
		}
		if s := showAsCaptured(group, got, reply.Err); s != c.Groups[i] {
			t.Errorf("have %s\nwant %s", s, c.Groups[i])
		}
		if g := m.consumer(group, false); g != nil && g.hash != m.metadataHash(g.subscribed) {
			t.Errorf("%s: the hash of its topics is %d, want Kafka's %d", group, m.metadataHash(g.subscribed), g.hash)
		}
	}
	if g, ok := m.groups["down"].group.(*classicGroup); !ok || g.now != stateStable || g.generation != 4 {
		t.Errorf("down is %+v", m.groups["down"].group)
	}
	if len(m.groups["plain"].offsets.topics()) != 1 || len(m.groups["empty"].offsets.topics()) != 1 {
		t.Error("committed offsets are missing")
	}
}

// showAsCaptured prints a group as script.describe does.
func showAsCaptured(group string, d ConsumerDescribed, err error) string {
	if err != nil {
		return group + ": error=69  0/0 "
	}
	line := fmt.Sprintf("%s: error=0 %s %d/%d %s", group, d.State, d.Epoch, d.AssignmentEpoch, d.Assignor)
	for _, m := range d.Members {
		kind := 1
		if m.Classic {
			kind = 0
		}
		line += fmt.Sprintf("; %s instance=%s rack=%s epoch=%d client=%s%s topics=%v regex=%q type=%d has=%v "+
			"target=%v", m.MemberID, showText(m.InstanceID), showText(m.Rack), m.Epoch, m.Client.ID,
			m.Client.Host, m.Topics, m.Regex, kind, showPartitions(m.Assigned), showPartitions(m.Target))
	}
	return line
}

func showPartitions(list []AssignedTopic) []string {
	var out []string
	for _, topic := range list {
		for _, p := range topic.Partitions {
			out = append(out, fmt.Sprintf("%s-%d", topic.Name, p))
		}
	}
	slices.Sort(out)
	return out
}

// TestKafkasRecords writes each record of a consumer group again, byte by byte as Kafka did. Kafka lists
// topics and partitions in the order of a hash table, here they ascend: where that differs, a reader must
// find the same.
func TestKafkasRecords(t *testing.T) {
	seen := map[int16]int{}
	for i, want := range readCapture(t).records(t) {
		version := int16(want.Key[1])
		if version < keyEpoch {
			continue
		}
		names, err := consumerNames(version, want.Key[2:])
		if err != nil {
			t.Fatal(err)
		}
		if want.Value == nil {
			if key := consumerKey(version, names[0], names[1:]...); !bytes.Equal(key, want.Key) {
				t.Errorf("record %d: key %x, want %x", i, key, want.Key)
			}
			continue
		}
		seen[version]++
		got := again848(t, version, names, want)
		if !bytes.Equal(got.Key, want.Key) || len(got.Value) != len(want.Value) {
			t.Errorf("record %d:\nhave %x = %x\nwant %x = %x", i, got.Key, got.Value, want.Key, want.Value)
		}
		if !bytes.Equal(got.Value, want.Value) {
			if third := again848(t, version, names, got); !bytes.Equal(third.Value, got.Value) {
				t.Errorf("record %d means something else:\nhave %x\nwant %x", i, got.Value, want.Value)
			}
			seen[-version]++
		}
	}
	for _, version := range []int16{keyEpoch, keyMember, keyTargetEpoch, keyTarget, keyCurrent, keyRegex} {
		if seen[version] == 0 || seen[-version] == seen[version] {
			t.Errorf("of %d records with key version %d, %d differ in order", seen[version], version,
				seen[-version])
		}
	}
}

// again848 reads a record into a machine and writes what it finds there.
func again848(t *testing.T, version int16, names []string, r coordinator.Record) coordinator.Record {
	m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
	if err := m.Replay(coordinator.Stored{Record: r}); err != nil {
		t.Fatal(err)
	}
	g := m.consumer(names[0], false)
	switch version {
	case keyEpoch:
		return epochRecord(g.id, g.epoch, g.hash)
	case keyTargetEpoch:
		return targetEpochRecord(g.id, g.targetEpoch, g.targetAt)
	case keyMember:
		return memberRecord(g.id, g.members[names[1]])
	case keyTarget:
		return targetRecord(g.id, names[1], g.target[names[1]])
	case keyCurrent:
		return currentRecord(g.id, names[1], g.members[names[1]].reconciled)
	}
	return regexRecord(g.id, names[1], g.regexes[names[1]])
}

// TestRecordsThatAreCutShort must be refused, and never be too much for the reader.
func TestRecordsThatAreCutShort(t *testing.T) {
	for _, r := range readCapture(t).records(t) {
		for _, part := range []bool{true, false} {
			for n := range max(len(r.Key), len(r.Value)) {
				m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
				cut := coordinator.Record{Key: r.Key, Value: r.Value}
				if part {
					cut.Key = r.Key[:min(n, len(r.Key))]
				} else if r.Value != nil {
					cut.Value = r.Value[:min(n, len(r.Value))]
				}
				whole := len(cut.Key) == len(r.Key) && len(cut.Value) == len(r.Value)
				if err := m.Replay(coordinator.Stored{Record: cut}); !whole && err == nil && r.Key[1] > 2 {
					t.Fatalf("%x = %x is taken for a record", cut.Key, cut.Value)
				}
			}
		}
	}
}
