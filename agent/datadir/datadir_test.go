package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-log/varve/kafka"
)

func mustOpen(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestIdentitySurvivesReopen(t *testing.T) {
	path := t.TempDir()
	d := mustOpen(t, path)
	if !d.Fresh() || d.PossibleLoss() {
		t.Fatalf("fresh=%v possible loss=%v, want true, false", d.Fresh(), d.PossibleLoss())
	}
	uuid := d.Identity().DiskUUID
	if err := errors.Join(d.MarkRunning(1, "c"), d.RaiseFloor("c", 7), d.RaiseFloor("c", 3)); err != nil {
		t.Fatal(err)
	}
	d.Close()

	d = mustOpen(t, path)
	defer d.Close()
	got := d.Identity()
	if got.DiskUUID != uuid || got.FloorVersion != 7 || got.CleanStop || d.Fresh() {
		t.Fatalf("identity after reopen: %+v, fresh=%v", got, d.Fresh())
	}
	if d.PossibleLoss() {
		t.Fatal("a process crash without a reboot counted as possible loss")
	}
}

func TestRebootWithoutCleanStopIsPossibleLoss(t *testing.T) {
	path := t.TempDir()
	d := mustOpen(t, path)
	if err := d.MarkRunning(1, "c"); err != nil {
		t.Fatal(err)
	}
	if err := d.update(func(id *Identity) { id.BootID = "an earlier boot" }); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = mustOpen(t, path)
	if !d.PossibleLoss() {
		t.Fatal("reboot without a clean stop must be possible loss")
	}
	if err := d.MarkCleanStop(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = mustOpen(t, path)
	defer d.Close()
	if d.PossibleLoss() {
		t.Fatal("a clean stop loses nothing")
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	path := t.TempDir()
	d := mustOpen(t, path)
	defer d.Close()
	if _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v, want ErrLocked", err)
	}
}

func TestDamagedIdentityIsNamed(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, identityName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Fatal("a damaged identity was taken")
	}
}

func TestPartitionsListsOnlyPartitions(t *testing.T) {
	d := mustOpen(t, t.TempDir())
	defer d.Close()
	want := kafka.TopicPartition{Topic: kafka.TopicID{1, 2}, Partition: 3}
	for _, name := range []string{d.PartitionPath(want), d.PartitionPath(want) + "x", filepath.Join(d.Path(), partitionsDir, "odd")} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Partitions()
	if err != nil || len(got) != 1 || got[0] != want {
		t.Fatalf("partitions %v, %v; want only %v", got, err, want)
	}
}

// Bug: what a start learned of a doubtful disk was forgotten when it ended early.
func TestDoubtOutlivesAnEarlyEnd(t *testing.T) {
	path := t.TempDir()
	d := mustOpen(t, path)
	if d.Doubtful() {
		t.Fatal("a new disk is doubtful")
	}
	if err := errors.Join(d.MarkDoubtful(), d.MarkRunning(1, "c"), d.Close()); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, path)
	if !d.Doubtful() || d.PossibleLoss() {
		t.Fatalf("doubtful %v, possible loss %v", d.Doubtful(), d.PossibleLoss())
	}
	if err := errors.Join(d.MarkSettled(), d.Close()); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, path)
	if d.Doubtful() {
		t.Fatal("doubtful after it was settled")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestQuarantineKeepsEverything(t *testing.T) {
	d := mustOpen(t, t.TempDir())
	defer d.Close()
	tp := kafka.TopicPartition{Topic: kafka.TopicID{1}, Partition: 2}
	seen := map[string]bool{}
	for range 2 {
		if err := os.MkdirAll(d.PartitionPath(tp), 0o755); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(d.PartitionPath(tp), "0.log")
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		to, err := d.Quarantine(tp)
		if err != nil || seen[to] {
			t.Fatal(to, err)
		}
		seen[to] = true
		if _, err := os.Stat(filepath.Join(to, "0.log")); err != nil {
			t.Fatal(err)
		}
	}
	if tps, err := d.Partitions(); err != nil || len(tps) != 0 {
		t.Fatal(tps, err)
	}
}
