package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/vfs"
)

func TestProduceGoesOnWithoutTheBucket(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	f, with := newFaults()
	a := startOn(t, cfg, with)
	create(t, a, "t", 1, "varve.seal.max.age.ms", "1", "internal.segment.bytes", "4096")
	produce(t, a, "t", 0, 10)
	f.cutOff()
	produce(t, a, "t", 10, 500)
	consume(t, a, "t", 500)
	sealed := replica(t, a, "t").VerifiedEnd()
	f.store.Quiet()
	await(t, "sealing to resume", func() bool {
		return replica(t, a, "t").VerifiedEnd() > sealed
	})
	stop(t, a)
	a = start(t, newDisk(t, cfg))
	consume(t, a, "t", 500)
	stop(t, a)
}

func TestLocalDiskLimitDuringAnOutage(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.LocalBytesMax = 64 << 10
	f, with := newFaults()
	a := startOn(t, cfg, with)
	create(t, a, "t", 1, "retention.ms", "-1")
	f.cutOff()
	batch := func() []byte { return batchOf(t, 1000, strings.Repeat("x", 1000)) }
	acked := 0
	for code := int16(0); code == 0; {
		if code = produceBatch(t, a, "t", batch()).ErrorCode; code == 0 {
			acked++
		} else if err := kerr.ErrorForCode(code); code != kerr.KafkaStorageError.Code ||
			!kerr.IsRetriable(err) {
			t.Fatal(err)
		}
	}
	if acked < 50 || acked > 64 {
		t.Fatalf("%d batches of 1 KB were taken with 64 KiB of disk", acked)
	}
	if code, n := tryFetch(t, a, "t", 0); code != 0 || n == 0 {
		t.Fatalf("hot fetch: %d bytes, %v", n, kerr.ErrorForCode(code))
	}
	f.store.Quiet()
	await(t, "produce to resume", func() bool {
		return produceBatch(t, a, "t", batch()).ErrorCode == 0
	})
	if start := replica(t, a, "t").Log().LocalLogStartOffset(); start == 0 {
		t.Fatal("nothing was released")
	}
	if code, n := tryFetch(t, a, "t", 0); code != 0 || n == 0 {
		t.Fatalf("fetch of what was released: %d bytes, %v", n, kerr.ErrorForCode(code))
	}
	stop(t, a)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	f, with := newFaults()
	a := startOn(t, cfg, with)
	create(t, a, "t", 1, "retention.ms", "-1")
	create(t, a, "other", 1)
	produce(t, a, "t", 0, 10)
	f.disk.SetRoom(100)
	got := produceBatch(t, a, "t", batchOf(t, 1000, strings.Repeat("x", 1000)))
	if got.ErrorCode != kerr.KafkaStorageError.Code {
		t.Fatalf("%+v", got)
	}
	consume(t, a, "t", 10)
	f.disk.SetRoom(-1)
	produce(t, a, "t", 10, 20)
	consume(t, a, "t", 20)
	stop(t, a)
	a = start(t, cfg)
	consume(t, a, "t", 20)
	stop(t, a)
}

func TestLostSyncTakesOnePartitionOffline(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	f, with := newFaults()
	a := startOn(t, cfg, with)
	create(t, a, "t", 1, "flush.messages", "1")
	create(t, a, "other", 1)
	produce(t, a, "t", 0, 10)
	f.disk.Inject(vfs.Fault{Op: vfs.OpSync, NameHas: ".log", Times: 1})
	got := produceBatch(t, a, "t", batchOf(t, 1000, "x"))
	if got.ErrorCode != kerr.KafkaStorageError.Code {
		t.Fatalf("acked without a flush: %+v", got)
	}
	if hw := replica(t, a, "t").HighWatermark(); hw != 10 {
		t.Fatalf("the high watermark is %d", hw)
	}
	produce(t, a, "other", 0, 10)
	a.kill()
	a = start(t, cfg)
	produce(t, a, "other", 10, 20)
	stop(t, a)
}

// breakLog takes the middle one of three local segments away and gives the log's directory.
func breakLog(t *testing.T, a *Agent, topic string) string {
	t.Helper()
	dir := a.dir.PartitionPath(replica(t, a, topic).TopicPartition())
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) < 3 {
		t.Fatal(logs, err)
	}
	if err := os.Remove(logs[1]); err != nil {
		t.Fatal(err)
	}
	return dir
}

// threeSegments fills a topic with three rolled segments of 10 records.
func threeSegments(t *testing.T, a *Agent, topic string) {
	t.Helper()
	for i := range 3 {
		produce(t, a, topic, 10*i, 10*i+10)
		if _, err := replica(t, a, topic).Log().Roll(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedLogGoesOnAtTheSealedEnd(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.StopSealTimeMax = 0
	a := start(t, cfg)
	produce(t, a, "other", 0, 10)
	create(t, a, "t", 1)
	threeSegments(t, a, "t")
	seal(t, a, "t")
	produce(t, a, "t", 30, 35) // these are only in the local log
	dir := breakLog(t, a, "t")
	stop(t, a)

	a = start(t, cfg)
	if err := a.Ready(); err != nil {
		t.Fatal(err)
	}
	produce(t, a, "t", 30, 40)
	consume(t, a, "t", 40)
	consume(t, a, "other", 10)
	kept, err := filepath.Glob(filepath.Join(cfg.DataDir, "quarantine", filepath.Base(dir)+"-*", "*.log"))
	if err != nil || len(kept) == 0 {
		t.Fatal("the damaged log is gone", err)
	}
	stop(t, a)
}

func TestDamagedLogWithNothingSealedStaysOffline(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.StopSealTimeMax = 0
	a := start(t, cfg)
	create(t, a, "t", 1, "remote.storage.enable", "false")
	produce(t, a, "other", 0, 10)
	threeSegments(t, a, "t")
	dir := breakLog(t, a, "t")
	stop(t, a)

	a = start(t, cfg)
	err := a.Ready()
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), `"t"`) {
		t.Fatal(err)
	}
	got := produceBatch(t, a, "t", batchOf(t, 1000, "x"))
	if got.ErrorCode != kerr.KafkaStorageError.Code {
		t.Fatalf("%+v", got)
	}
	consume(t, a, "other", 10)
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	remove(t, a, "t")
	if err := a.Ready(); err != nil {
		t.Fatal("a deleted topic keeps the agent from being ready: ", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("the files of the deleted topic are still there: %v", err)
	}
	stop(t, a)
}

// Bug: a partition that could not be opened at the start was reported as offline for good.
func TestOfflinePartitionComesBack(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	stop(t, a)
	f, with := newFaults()
	with.wrapStore = failManifests(f, with)
	a = startOn(t, newDisk(t, cfg), with)
	if err := a.Ready(); err == nil {
		t.Fatal("ready without its partition")
	}
	f.store.Quiet()
	a.retryOffline(testContext(t))
	if err := a.Ready(); err != nil {
		t.Fatal(err)
	}
	consume(t, a, "t", 10)
	stop(t, a)
}

func failManifests(f *faults, with parts) func(objstore.Store) objstore.Store {
	wrap := with.wrapStore
	return func(s objstore.Store) objstore.Store {
		s = wrap(s)
		f.store.Add(faulty.Rule{Prefix: "manifests/", Times: -1, Fault: faulty.Unavailable})
		return s
	}
}

func TestBucketDisappears(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	bucket := strings.TrimPrefix(cfg.Store, "file://")
	if err := os.Rename(bucket, bucket+"-away"); err != nil {
		t.Fatal(err)
	}
	produce(t, a, "t", 10, 20)
	consume(t, a, "t", 20)
	if code := tryCreate(t, a, "u", 1); code == 0 {
		t.Fatal("a topic was created without the bucket")
	}
	_ = os.RemoveAll(bucket) // what attempts to write have made of it
	if err := os.Rename(bucket+"-away", bucket); err != nil {
		t.Fatal(err)
	}
	seal(t, a, "t")
	create(t, a, "v", 1)
	stop(t, a)
}
