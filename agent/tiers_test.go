package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// produceAt appends one record for each timestamp, at offsets from 0 on.
func produceAt(t *testing.T, a *Agent, topic string, timestamps ...kafka.Timestamp) {
	t.Helper()
	for _, ts := range timestamps {
		noError(t, produceBatch(t, a, topic, batchOf(t, ts, "x")).ErrorCode)
	}
}

func TestRetentionByTimeOverBothTiers(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "retention.ms", "-1", "local.retention.ms", "-1")
	old := kafka.TimestampOf(time.Now().Add(-time.Hour))
	produceAt(t, a, "t", old, old)
	seal(t, a, "t")
	produceAt(t, a, "t", old)
	seal(t, a, "t")
	produceAt(t, a, "t", kafka.TimestampOf(time.Now()))
	seal(t, a, "t")
	alter(t, a, "t", "retention.ms", "600000", "local.retention.ms", "-2")
	await(t, "the log start to move", func() bool { return offsetAt(t, a, "t", -2).Offset == 3 })
	logStarts(t, a, "t", 3)
	await(t, "local segments to go", func() bool {
		return replica(t, a, "t").Log().LocalLogStartOffset() >= 3
	})
	if s := sweep(t, a); s.Deleted.Objects != 2 {
		t.Fatalf("swept %+v", s)
	}
	stop(t, a)
	a = start(t, newDisk(t, cfg))
	logStarts(t, a, "t", 3)
	stop(t, a)
	clean(t, cfg)
}

func TestRetentionByBytesOverBothTiers(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1, "retention.ms", "-1", "varve.seal.max.age.ms", "600000")
	value := strings.Repeat("x", 1000)
	for range 4 {
		for range 5 {
			noError(t, produceBatch(t, a, "t", batchOf(t, 1000, value)).ErrorCode)
		}
		seal(t, a, "t")
	}
	alter(t, a, "t", "retention.bytes", "11000", "local.retention.bytes", "1000")
	await(t, "the log start to move", func() bool { return offsetAt(t, a, "t", -2).Offset == 5 })
	await(t, "local segments to go", func() bool {
		return replica(t, a, "t").Log().LocalLogStartOffset() >= 15
	})
	logStarts(t, a, "t", 5)
	stop(t, a)
}

func TestReadsCrossTheSeamWhileSegmentsAreReleased(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "internal.segment.bytes", "2048", "local.retention.bytes", "4096",
		"varve.seal.max.age.ms", "50")
	done := make(chan struct{})
	go func() {
		defer close(done)
		consume(t, a, "t", 1500)
	}()
	for n := 0; n < 1500; n += 300 {
		produce(t, a, "t", n, n+300)
	}
	<-done
	log := replica(t, a, "t").Log()
	await(t, "segments to be released", func() bool { return log.LocalLogStartOffset() > 1000 })
	consume(t, a, "t", 1500)
	if got := offsetAt(t, a, "t", -4).Offset; got <= 1000 {
		t.Fatalf("earliest local offset is %d", got)
	}
	if end := int64(replica(t, a, "t").VerifiedEnd()); offsetAt(t, a, "t", -5).Offset < end-1 {
		t.Fatalf("latest tiered offset is below %d", end-1)
	}
	stop(t, a)
}

func TestTopicKeptOnLocalDisk(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "remote.storage.enable", "false", "retention.ms", "-1")
	threeSegments(t, a, "t")
	if _, err := a.SealTopic(testContext(t), "t"); err == nil {
		t.Fatal("sealed")
	}
	if end := replica(t, a, "t").VerifiedEnd(); end != 0 {
		t.Fatalf("sealed up to %d", end)
	}
	stop(t, a)
	if self, _ := a.catalog.State().Agent(cfg.AgentID); self.CleanStop {
		t.Fatal("the catalog says that the disk may be lost")
	}
	a = start(t, cfg)
	consume(t, a, "t", 30)
	alter(t, a, "t", "remote.storage.enable", "true")
	seal(t, a, "t")
	stop(t, a)
	a = start(t, newDisk(t, cfg))
	consume(t, a, "t", 30)
	stop(t, a)
}

func TestLocalTopicExpiresByTime(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "remote.storage.enable", "false", "retention.ms", "-1")
	old := kafka.TimestampOf(time.Now().Add(-time.Hour))
	produceAt(t, a, "t", old, old)
	if _, err := replica(t, a, "t").Log().Roll(); err != nil {
		t.Fatal(err)
	}
	produceAt(t, a, "t", kafka.TimestampOf(time.Now()))
	alter(t, a, "t", "retention.ms", "600000")
	await(t, "the log start to move", func() bool { return offsetAt(t, a, "t", -2).Offset == 2 })
	logStarts(t, a, "t", 2)
	stop(t, a)
}

func TestIdleSegmentIsSealedAtItsAge(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1, "varve.seal.max.age.ms", "100")
	produce(t, a, "t", 0, 10)
	await(t, "the idle segment to be sealed", func() bool {
		return replica(t, a, "t").VerifiedEnd() == 10
	})
	stop(t, a)
}

func TestOffsetsByTimeAcrossTheSeam(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1, "retention.ms", "-1", "local.retention.ms", "1")
	produceAt(t, a, "t", 5000, 1000, 9000, 2000) // 0-3, out of order
	seal(t, a, "t")
	produceAt(t, a, "t", 3000, 8000) // 4-5
	seal(t, a, "t")
	await(t, "local segments to go", func() bool {
		return replica(t, a, "t").Log().LocalLogStartOffset() == 6
	})
	produceAt(t, a, "t", 4000, 7000, 9500, 100) // 6-9, hot
	for _, x := range []struct{ at, offset, timestamp int64 }{
		{0, 0, 5000},
		{5000, 0, 5000},
		{5001, 2, 9000},
		{9000, 2, 9000},
		{9001, 8, 9500},
		{9500, 8, 9500},
		{9501, -1, -1},
		{-3, 8, 9500},
	} {
		got := offsetAt(t, a, "t", x.at)
		if got.Offset != x.offset || got.Timestamp != x.timestamp {
			t.Errorf("at %d: offset %d, timestamp %d; want %d, %d",
				x.at, got.Offset, got.Timestamp, x.offset, x.timestamp)
		}
	}
	if got := deleteRecords(t, a, "t", 3); got != 3 {
		t.Fatalf("low watermark %d", got)
	}
	if got := offsetAt(t, a, "t", 5001); got.Offset != 5 {
		t.Errorf("with a log start of 3: %+v", got)
	}
	seal(t, a, "t")
	await(t, "local segments to go", func() bool {
		return replica(t, a, "t").Log().LocalLogStartOffset() == 10
	})
	if got := offsetAt(t, a, "t", -3); got.Offset != 8 || got.Timestamp != 9500 {
		t.Errorf("largest timestamp, all sealed: %+v", got)
	}
	deleteRecords(t, a, "t", 9)
	if got := offsetAt(t, a, "t", -3); got.Offset != 9 || got.Timestamp != 100 {
		t.Errorf("largest timestamp, log start 9: %+v", got)
	}
	// Bug: with the largest timestamp below the log start, there was no largest one.
	produceAt(t, a, "t", 9900, 50, 60)
	deleteRecords(t, a, "t", 11)
	if got := offsetAt(t, a, "t", -3); got.Offset != 12 || got.Timestamp != 60 {
		t.Errorf("largest timestamp, log start 11, hot: %+v", got)
	}
	deleteRecords(t, a, "t", 13)
	if got := offsetAt(t, a, "t", -3); got.Offset != -1 {
		t.Errorf("largest timestamp of nothing: %+v", got)
	}
	stop(t, a)
}

func TestNothingIsAckedOrVisibleBeforeItsFlush(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	gate := &syncGate{FS: vfs.OS(), open: make(chan struct{}), reached: make(chan struct{}, 100)}
	with := testParts()
	with.fs = gate
	a := startOn(t, cfg, with)
	create(t, a, "t", 1, "flush.messages", "1")
	acked := make(chan int16, 3)
	for range 3 {
		go func() { acked <- produceBatch(t, a, "t", batchOf(t, 1000, "x")).ErrorCode }()
	}
	log := replica(t, a, "t").Log()
	await(t, "the appends", func() bool { return log.LogEndOffset() == 3 })
	<-gate.reached
	if hw := replica(t, a, "t").HighWatermark(); hw != 0 {
		t.Fatalf("the high watermark is %d, nothing is flushed", hw)
	}
	if _, n := tryFetch(t, a, "t", 0); n != 0 {
		t.Fatalf("%d bytes are visible, nothing is flushed", n)
	}
	if len(acked) != 0 {
		t.Fatal("acked before the flush")
	}
	close(gate.open)
	for range 3 {
		noError(t, <-acked)
	}
	if flushed := log.FlushedOffset(); flushed != 3 {
		t.Fatalf("flushed up to %d", flushed)
	}
	stop(t, a)
}

// syncGate holds every sync of a segment until it is opened.
type syncGate struct {
	vfs.FS
	open, reached chan struct{}
}

func (g *syncGate) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return gatedFile{f, g}, nil
}

func (g *syncGate) OpenReadWrite(name string) (vfs.File, error) {
	return g.wrap(g.FS.OpenReadWrite(name))
}

func (g *syncGate) Create(name string) (vfs.File, error) { return g.wrap(g.FS.Create(name)) }

type gatedFile struct {
	vfs.File
	gate *syncGate
}

func (f gatedFile) SyncData() error {
	select {
	case f.gate.reached <- struct{}{}:
	default:
	}
	<-f.gate.open
	return f.File.SyncData()
}

func TestAgentSettingsChangeWhileRunning(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType = kmsg.ConfigResourceTypeBroker
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	value := "86400000"
	c.Name, c.Value = "log.retention.ms", &value
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	code := ask[*kmsg.IncrementalAlterConfigsResponse](t, a, req).Resources[0].ErrorCode
	if code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	if got := replica(t, a, "t").Settings().RetentionTime; got != 24*time.Hour {
		t.Fatalf("the topic's retention is %v", got)
	}
	stop(t, a)
}
