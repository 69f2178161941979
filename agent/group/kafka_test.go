package group

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka/record"
)

// kafkaDir holds what one Apache Kafka 4.3.1 wrote to __consumer_offsets, its segments as they were, and
// in groups.txt what it said of the groups. capture_test.go makes both.
const kafkaDir = "testdata/kafka-4.3.1"

// loadLog replays a segment into the machine of its partition.
func loadLog(t testing.TB, m *Machine, path string) (records, markers int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		b = rest
		p := coordinator.Producer{ID: batch.ProducerID(), Epoch: batch.ProducerEpoch()}
		for it := batch.Records(record.DefaultLimits()); it.Next(); {
			r := it.Record()
			if batch.IsControl() {
				markers++
				m.ReplayEnd(p, r.Key[3] == byte(record.Commit))
				continue
			}
			records++
			s := coordinator.Stored{
				Record: coordinator.Record{Key: r.Key, Value: r.Value}, Offset: r.Offset,
				Timestamp: r.Timestamp, Transactional: batch.IsTransactional(), Producer: p,
			}
			if err := m.Replay(s); err != nil {
				t.Fatalf("offset %d: %v", r.Offset, err)
			}
		}
	}
	return records, markers
}

// TestLogsOfKafka loads what Kafka wrote and tells of the groups what Kafka told.
func TestLogsOfKafka(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(kafkaDir, "groups.txt"))
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(kafkaDir, "*.log"))
	var told []string
	records, markers := 0, 0
	for _, path := range paths {
		m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
		r, k := loadLog(t, m, path)
		records, markers = records+r, markers+k
		m.Loaded(time.Now())
		for _, l := range m.List(ListRequest{}) {
			told = append(told, tell(m, l))
		}
	}
	slices.Sort(told)
	if got := strings.Join(told, ""); got != string(want) {
		t.Errorf("told\n%s\nKafka told\n%s", got, want)
	}
	if records < 25 || markers < 2 {
		t.Errorf("%d records and %d markers: not what was captured", records, markers)
	}
}

// tell describes a group as capture_test.go writes down what Kafka says of it.
func tell(m *Machine, l Listed) string {
	var b strings.Builder
	reply := m.Describe(time.Time{}, 0, l.Group).Replies[0]
	if reply.Err != nil {
		return ""
	}
	d := reply.Value.(Described)
	fmt.Fprintf(&b, "%s %s %s %q %q\n", l.Group, l.Type, d.State, d.ProtocolType, d.Protocol)
	var lines []string
	for _, mem := range d.Members {
		lines = append(lines, fmt.Sprintf("  member %s instance=%s client=%s host=%s says=%x assigned=%x\n",
			mem.MemberID, showText(mem.InstanceID), mem.Client.ID, mem.Client.Host, mem.Metadata, mem.Assignment))
	}
	stable := m.Fetch(time.Time{}, 0, FetchRequest{Group: l.Group, All: true, RequireStable: true, MemberEpoch: -1})
	for _, topic := range stable.Replies[0].Value.(FetchResponse).Topics {
		for _, p := range topic.Partitions {
			if errors.Is(p.Err, ErrUnstableOffset) {
				lines = append(lines, fmt.Sprintf("  unstable %s-%d\n", topic.Topic, p.Partition))
			}
		}
	}
	some := m.Fetch(time.Time{}, 0, FetchRequest{Group: l.Group, All: true, MemberEpoch: -1})
	for _, topic := range some.Replies[0].Value.(FetchResponse).Topics {
		for _, p := range topic.Partitions {
			lines = append(lines, fmt.Sprintf("  offset %s-%d %d epoch=%d %q\n",
				topic.Topic, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata))
		}
	}
	slices.Sort(lines)
	return b.String() + strings.Join(lines, "")
}

// TestReencoded writes again what Kafka wrote, byte by byte, for the records that we write, too.
func TestReencoded(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(kafkaDir, "*.log"))
	same := 0
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			b = rest
			for it := batch.Records(record.DefaultLimits()); it.Next() && !batch.IsControl(); {
				r := it.Record()
				m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
				s := coordinator.Stored{Record: coordinator.Record{Key: r.Key, Value: r.Value}}
				if err := m.Replay(s); err != nil || r.Value == nil || r.Key[1] > byte(keyGroupMetadata) {
					continue
				}
				again := rewritten(m)
				if string(again.Key) != string(r.Key) || string(again.Value) != string(r.Value) {
					t.Errorf("%s offset %d:\nKafka %x = %x\nours  %x = %x",
						path, r.Offset, r.Key, r.Value, again.Key, again.Value)
				}
				same++
			}
		}
	}
	if same < 20 {
		t.Errorf("%d records compared", same)
	}
}

// rewritten is the record of the one thing that a machine holds.
func rewritten(m *Machine) coordinator.Record {
	for id, e := range m.groups {
		for _, at := range e.places() {
			return offsetRecord(id, at.topic, at.partition, e.offsets.get(at.topic, at.partition))
		}
		return classicRecord(e.group.(*classicGroup))
	}
	return coordinator.Record{}
}
