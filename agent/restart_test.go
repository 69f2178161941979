package agent

import (
	"fmt"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// idempotent is a producer whose sequence numbers the test chooses.
type idempotent struct {
	id    kafka.ProducerID
	epoch int16
}

func newIdempotent(t *testing.T, a *Agent) idempotent {
	t.Helper()
	res := ask[*kmsg.InitProducerIDResponse](t, a, kmsg.NewPtrInitProducerIDRequest())
	noError(t, res.ErrorCode)
	return idempotent{kafka.ProducerID(res.ProducerID), res.ProducerEpoch}
}

// send appends one record with a sequence number to partition 0.
func (p idempotent) send(
	t *testing.T, a *Agent, topic string, sequence int32,
) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.SetProducer(p.id, p.epoch, sequence)
	b.Append(1000, nil, fmt.Appendf(nil, "value-%d", sequence))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return produceBatch(t, a, topic, batch)
}

// batchOf is a batch of one record.
func batchOf(t *testing.T, at kafka.Timestamp, value string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(at, nil, []byte(value))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func produceBatch(
	t *testing.T, a *Agent, topic string, batch record.Batch,
) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, topicNamed(t, a, topic)
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = batch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return ask[*kmsg.ProduceResponse](t, a, req).Topics[0].Partitions[0]
}

// checkSequence expects the producer, which sent sequence numbers up to last at equal offsets, to
// be remembered: repeats are answered as such, gaps refused, and it goes on.
func checkSequence(t *testing.T, a *Agent, p idempotent, topic string, last int32) {
	t.Helper()
	got := p.send(t, a, topic, last)
	if got.ErrorCode != 0 || got.BaseOffset != int64(last) {
		t.Fatalf("a repeat of sequence %d was answered with %+v", last, got)
	}
	if got = p.send(t, a, topic, last+5); got.ErrorCode != kerr.OutOfOrderSequenceNumber.Code {
		t.Fatalf("a gap was answered with %+v", got)
	}
	if got = p.send(t, a, topic, last+1); got.ErrorCode != 0 || got.BaseOffset != int64(last)+1 {
		t.Fatalf("sequence %d was answered with %+v", last+1, got)
	}
}

func TestProducerStateOutlivesKillStopAndDisk(t *testing.T) {
	t.Parallel()
	t.Run("for ever", func(t *testing.T) { producerStateOutlives(t, "-1") })
	// Bug: with the records of the newest sealed segment expired, its producer state was not read.
	t.Run("expired", func(t *testing.T) { producerStateOutlives(t, "1000") })
}

func producerStateOutlives(t *testing.T, retentionMs string) {
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "retention.ms", retentionMs)
	p := newIdempotent(t, a)
	for i := range int32(3) {
		noError(t, p.send(t, a, "t", i).ErrorCode)
	}
	a.kill()

	a = start(t, cfg)
	checkSequence(t, a, p, "t", 2)
	seal(t, a, "t")
	checkSequence(t, a, p, "t", 3)
	stop(t, a)

	a = start(t, newDisk(t, cfg))
	checkSequence(t, a, p, "t", 4)
	stop(t, a)
}

func TestProducerIDsNeverRepeat(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	seen := map[kafka.ProducerID]bool{}
	take := func(a *Agent) {
		for range 3 {
			id := newIdempotent(t, a).id
			if seen[id] {
				t.Fatalf("producer id %d was given twice", id)
			}
			seen[id] = true
		}
	}
	a := start(t, cfg)
	take(a)
	a.kill()
	a = start(t, cfg)
	take(a)
	stop(t, a)
	a = start(t, newDisk(t, cfg))
	take(a)
	stop(t, a)
}

func TestEveryStartLeadsInAHigherEpochThatHistoryKeeps(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ends := map[int32]int64{}
	a := start(t, cfg)
	create(t, a, "t", 1)
	for n := range 4 {
		epoch := int32(replica(t, a, "t").LeaderEpoch())
		if int(epoch) != n {
			t.Fatalf("start %d leads in epoch %d", n, epoch)
		}
		produce(t, a, "t", 10*n, 10*n+10)
		ends[epoch] = int64(10*n + 10)
		switch n {
		case 0:
			a.kill()
		case 2: // on a new disk the history comes from the manifest
			stop(t, a)
			cfg = newDisk(t, cfg)
		default:
			stop(t, a)
		}
		a = start(t, cfg)
		for old, want := range ends {
			if got, end := epochEnd(t, a, "t", old); got != old || end != want {
				t.Fatalf("start %d: epoch %d ends at %d as %d, want %d", n+1, old, end, got, want)
			}
		}
	}
	consume(t, a, "t", 40)
	earliest := offsetAt(t, a, "t", -2)
	if earliest.Offset != 0 || earliest.LeaderEpoch != 0 {
		t.Fatalf("earliest is %+v", earliest)
	}
	stop(t, a)
}

// Bug: a disk that comes back after another one had the agent id was led as it was left, although
// the bucket had gone on: offsets were given twice.
func TestStaleDiskComesBack(t *testing.T) {
	t.Parallel()
	old := testConfig(t)
	a := start(t, old)
	produce(t, a, "t", 0, 10)
	seal(t, a, "t")
	stop(t, a)

	other := newDisk(t, old)
	a = start(t, other)
	produce(t, a, "t", 10, 30)
	stop(t, a)

	a = start(t, old)
	if end := replica(t, a, "t").Log().LogEndOffset(); end != 30 {
		t.Fatalf("the log goes on at %d, 30 are sealed", end)
	}
	produce(t, a, "t", 30, 40)
	consume(t, a, "t", 40)
	stop(t, a)
}

// Bug: epochs were compared in one direction only, so that a stale log which ran further than the
// sealed end under its old epoch seemed to be what is sealed.
func TestStaleDiskWithOtherRecordsComesBack(t *testing.T) {
	t.Parallel()
	old := testConfig(t)
	a := start(t, old)
	produce(t, a, "t", 0, 10)
	seal(t, a, "t")
	for range 50 { // these are lost with the disk that is taken away
		noError(t, produceBatch(t, a, "t", batchOf(t, 1000, "lost")).ErrorCode)
	}
	a.kill()

	other := newDisk(t, old)
	other.TakeOver = true
	a = start(t, other)
	produce(t, a, "t", 10, 30)
	stop(t, a)

	a = start(t, old)
	produce(t, a, "t", 30, 40)
	consume(t, a, "t", 40)
	stop(t, a)
}

// Bug: a start on a doubtful disk that ended before its logs were held against the bucket let the
// next start forget that they have to be.
func TestDoubtOutlivesAStartThatFailed(t *testing.T) {
	t.Parallel()
	old := testConfig(t)
	a := start(t, old)
	produce(t, a, "t", 0, 10)
	stop(t, a)
	a = start(t, newDisk(t, old))
	produce(t, a, "t", 10, 20)
	stop(t, a)

	f, with := newFaults()
	a = startOn(t, old, withoutSegments(f, with))
	if err := a.Ready(); err == nil {
		t.Fatal("ready without its partition")
	}
	a.kill()
	a = start(t, old)
	if err := a.Ready(); err != nil {
		t.Fatal(err)
	}
	produce(t, a, "t", 20, 30)
	consume(t, a, "t", 30)
	stop(t, a)
}

func TestConfigsAndTopicsOutliveTheDisk(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 3, "retention.ms", "12345678")
	alter(t, a, "t", "segment.ms", "7654321")
	before, _ := a.Topic("t")
	cluster := a.ClusterID()
	stop(t, a)
	a = start(t, newDisk(t, cfg))
	after, ok := a.Topic("t")
	if !ok || after.ID != before.ID || len(after.Partitions) != 3 ||
		!maps.Equal(after.Configs, before.Configs) || a.ClusterID() != cluster {
		t.Fatalf("the topic was %+v and is %+v", before, after)
	}
	stop(t, a)
}

func TestClientsGoOnOverARestart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	cfg.Listen = a.Addr().String()
	c := client(t, a)
	if err := c.ProduceSync(testContext(t), values("t", 0, 5)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	a.kill()
	a = start(t, cfg)
	if err := c.ProduceSync(testContext(t), values("t", 5, 10)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	consume(t, a, "t", 10)
	c.Close()
	stop(t, a)
}

// withoutSegments lets no segment file be opened.
func withoutSegments(f *faults, with parts) parts {
	f.disk.Inject(vfs.Fault{Op: vfs.OpOpen, NameHas: ".log"})
	return with
}
