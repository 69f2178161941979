package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// Bug: a log that was killed between its directory and its first file, or whose files could not be
// made on a full disk, began at offset 0 again although the bucket had more: offsets were given
// twice, and what was appended counted as sealed and was released.
func TestLogWithoutFilesGoesOnAtTheSealedEnd(t *testing.T) {
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	seal(t, a, "t")
	dir := a.dir.PartitionPath(replica(t, a, "t").TopicPartition())
	stop(t, a)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}

	a = start(t, cfg)
	if end := replica(t, a, "t").Log().LogEndOffset(); end != 10 {
		t.Fatalf("the log goes on at %d, 10 are sealed", end)
	}
	produce(t, a, "t", 10, 20)
	a.kill() // before a checkpoint

	a = start(t, cfg)
	produce(t, a, "t", 20, 30)
	consume(t, a, "t", 30)
	stop(t, a)
	clean(t, cfg)
}

// Bug: with the log start offset above the sealed end there is nothing to compare, and the empty
// comparison came out unequal: records that only this disk had were dropped.
func TestDoubtfulDiskKeepsWhatLiesAboveTheLogStart(t *testing.T) {
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	seal(t, a, "t")
	produce(t, a, "t", 10, 30)
	if got := deleteRecords(t, a, "t", 15); got != 15 {
		t.Fatalf("low watermark %d", got)
	}
	if err := a.dir.MarkDoubtful(); err != nil {
		t.Fatal(err)
	}
	a.kill()

	a = start(t, cfg)
	produce(t, a, "t", 30, 40)
	consumeFrom(t, a, "t", 15, 40)
	stop(t, a)
	clean(t, cfg)
}

// Bug: a log whose checkpoints and oldest segment were damaged ended below the sealed end and went
// on there: offsets were given twice, and what was appended counted as sealed and was released.
func TestDamagedLogDoesNotEndBelowTheSealedEnd(t *testing.T) {
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 10)
	seal(t, a, "t")
	dir := a.dir.PartitionPath(replica(t, a, "t").TopicPartition())
	stop(t, a)
	for _, pattern := range []string{"checkpoint*", "*0.log"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, files, err)
		}
		flipLastByte(t, files[0])
	}

	a = start(t, cfg)
	if end := replica(t, a, "t").Log().LogEndOffset(); end != 10 {
		t.Fatalf("the log goes on at %d, 10 are sealed", end)
	}
	produce(t, a, "t", 10, 20)
	consume(t, a, "t", 20)
	stop(t, a)
	clean(t, cfg)
}

func flipLastByte(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil || len(b) == 0 {
		t.Fatal(name, err)
	}
	b[len(b)-1] ^= 0xff
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
