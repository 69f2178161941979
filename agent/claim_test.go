package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

func TestSecondLiveAgentIsRefused(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	refused(t, newDisk(t, cfg), "agent id 1", "alive at "+a.Addr().String(), "stop it first")
	takeOver := newDisk(t, cfg)
	takeOver.TakeOver = true
	refused(t, takeOver, "agent id 1", "alive")
	produce(t, a, "t", 0, 10)
	consume(t, a, "t", 10)
	stop(t, a)

	begun := time.Now()
	a = start(t, newDisk(t, cfg))
	if took := time.Since(begun); took > 2*time.Second {
		t.Fatalf("it waited %v after an orderly stop", took)
	}
	consume(t, a, "t", 10)
	stop(t, a)
}

func TestTakeOverAfterAKill(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	seal(t, a, "t")
	a.kill()
	cfg = newDisk(t, cfg)
	cfg.TakeOver = true
	a = start(t, cfg)
	consume(t, a, "t", 10)
	p, ok := a.catalog.State().Partition(replica(t, a, "t").TopicPartition())
	if !ok || p.Losses != 1 {
		t.Fatalf("a possible loss is not shown: %+v", p)
	}
	stop(t, a)
}

func TestOlderIncarnationStops(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	// Another disk takes the id over, as from where this agent cannot be reached.
	_, err := a.catalog.Commit(testContext(t), cluster.RegisterAgent{
		Agent: cluster.Agent{
			ID: cfg.AgentID, DiskUUID: "another", Advertised: "127.0.0.1:1", FormatMax: 1,
			RegisteredAt: kafka.TimestampOf(time.Now()),
		},
		Replaces: a.self.Incarnation,
	})
	if err != nil && !errors.Is(err, cluster.ErrSuperseded) {
		t.Fatal(err)
	}
	a.refresh(testContext(t))
	select {
	case err = <-a.failed:
	default:
		t.Fatal("the superseded agent goes on")
	}
	if !errors.Is(err, cluster.ErrSuperseded) {
		t.Fatal(err)
	}
	begun := time.Now()
	_ = a.Stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Fatalf("the superseded agent took %v to stop", took)
	}
}

func TestDataDirectoryInUse(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	refused(t, cfg, cfg.DataDir, "in use by another agent", "--data-dir")
	stop(t, a)
	stop(t, start(t, cfg))
}

func TestRestoredOldBucketIsRefused(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	bucket := strings.TrimPrefix(cfg.Store, "file://")
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	stop(t, a)
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(bucket)); err != nil {
		t.Fatal(err)
	}
	a = start(t, cfg)
	produce(t, a, "t", 10, 20)
	stop(t, a)
	now := filepath.Join(t.TempDir(), "now")
	if err := os.Rename(bucket, now); err != nil {
		t.Fatal(err)
	}

	t.Run("older", func(t *testing.T) {
		if err := os.CopyFS(bucket, os.DirFS(backup)); err != nil {
			t.Fatal(err)
		}
		refused(t, cfg, "open catalog", "version")
	})
	t.Run("missing", func(t *testing.T) {
		if err := os.RemoveAll(bucket); err != nil {
			t.Fatal(err)
		}
		refused(t, cfg, "missing", "--store")
	})
	t.Run("foreign", func(t *testing.T) {
		other := newDisk(t, cfg)
		stop(t, start(t, other)) // makes a new cluster there
		refused(t, cfg, "cluster")
	})
	if err := os.RemoveAll(bucket); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(now, bucket); err != nil {
		t.Fatal(err)
	}
	a = start(t, cfg)
	consume(t, a, "t", 20)
	stop(t, a)
}

func TestStartWithoutItsParts(t *testing.T) {
	t.Parallel()
	t.Run("store", func(t *testing.T) {
		cfg := testConfig(t)
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.Store = "file://" + filepath.Join(file, "bucket")
		refused(t, cfg, "open store", file)
	})
	t.Run("unreachable store", func(t *testing.T) {
		cfg := testConfig(t)
		f, with := newFaults()
		wrap := with.wrapStore
		with.wrapStore = func(s objstore.Store) objstore.Store {
			defer f.cutOff()
			return wrap(s)
		}
		_, err := startWith(testContext(t), cfg, testLogger(t), with)
		if err == nil || !strings.Contains(err.Error(), "open store: probe store "+cfg.Store) ||
			!strings.Contains(err.Error(), "check the URL") {
			t.Fatal(err)
		}
		stop(t, start(t, cfg)) // the lock and the addresses were given back
	})
	t.Run("address", func(t *testing.T) {
		cfg := testConfig(t)
		a := start(t, cfg)
		other := testConfig(t)
		other.Listen = a.Addr().String()
		refused(t, other, "listen", a.Addr().String(), "--listen")
		other.Listen, other.HTTP = "127.0.0.1:0", a.HTTPAddr().String()
		refused(t, other, "listen", a.HTTPAddr().String(), "--http")
		stop(t, a)
	})
}
