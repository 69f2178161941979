package hotlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// A write that fails part of the way leaves nothing visible, and the next one lands on its place.
func TestFailedWriteIsCutBack(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		t.Run(cause.Error(), func(t *testing.T) {
			mem := vfs.NewMem()
			fs := vfs.NewFaulty(mem)
			l := testLog(t, fs, DefaultConfig(), Deps{})
			mustAppend(t, l, batchOf(t, 2, 1, "a"))
			want := readAll(t, l, 0)
			fs.Inject(vfs.Fault{
				Op: vfs.OpWrite, NameHas: logSuffix, Times: 1, Err: cause, Partial: 40,
			})
			_, err := l.Append(idempotent(t, 2, 1, 0, 0), 0, AppendOptions{})
			if !errors.Is(err, cause) || errors.Is(err, ErrDiskFull) != (cause == syscall.ENOSPC) {
				t.Fatal(err)
			}
			if !bytes.Equal(readAll(t, l, 0), want) || l.LogEndOffset() != 2 {
				t.Fatal("the failed append is visible")
			}
			if len(l.Producers()) != 0 {
				t.Fatal("the failed append counts")
			}
			if a := mustAppend(t, l, idempotent(t, 2, 1, 0, 0)); a.BaseOffset != 2 || a.Duplicate {
				t.Fatalf("%+v", a)
			}
			killed := testLog(t, mem.ProcessCrashClone(), DefaultConfig(), Deps{})
			if !bytes.Equal(readAll(t, killed, 0), readAll(t, l, 0)) {
				t.Fatal("other bytes after a crash")
			}
		})
	}
}

// Where not even cutting back works the log refuses to go on until it is opened again.
func TestLogThatCannotCutBackFails(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFaulty(mem)
	failed := make(chan error, 1)
	l := testLog(t, fs, DefaultConfig(), Deps{OnFailure: func(err error) { failed <- err }})
	mustAppend(t, l, batchOf(t, 2, 1, "a"))
	want := readAll(t, l, 0)
	fs.Inject(vfs.Fault{Op: vfs.OpWrite, NameHas: logSuffix, Times: 1, Partial: 50})
	fs.Inject(vfs.Fault{Op: vfs.OpTruncate})
	for range 2 {
		if _, err := l.Append(batchOf(t, 1, 1, "b"), 0, AppendOptions{}); !errors.Is(err, ErrFailed) {
			t.Fatal(err)
		}
	}
	if err := <-failed; !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if !bytes.Equal(readAll(t, l, 0), want) {
		t.Fatal("reads stopped")
	}
	_ = l.Close()
	fs.Heal()
	again := testLog(t, fs, DefaultConfig(), Deps{})
	if again.LogEndOffset() != 2 || !bytes.Equal(readAll(t, again, 0), want) {
		t.Fatalf("log end %d", again.LogEndOffset())
	}
}

func TestDiskFullDuringRollPasses(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	l := testLog(t, fs, smallSegments(), Deps{})
	fs.SetRoom(2500)
	var want []byte
	var err error
	for err == nil {
		b := batchOf(t, 3, 1, "full")
		if _, err = l.Append(b, 0, AppendOptions{}); err == nil {
			want = append(want, b...)
		}
	}
	if !errors.Is(err, ErrDiskFull) || !bytes.Equal(readAll(t, l, 0), want) {
		t.Fatal(err)
	}
	fs.Heal()
	if err := l.Checkpoint(); err != nil { // tries again what failed behind the roll
		t.Fatal(err)
	}
	mustAppend(t, l, batchOf(t, 3, 1, "room"))
	if len(waitRolled(t, l, 2)) < 2 || !bytes.HasPrefix(readAll(t, l, 0), want) {
		t.Fatal("rolled segments are not reported")
	}
}

func TestFailedSyncFailsTheLog(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	l := testLog(t, fs, DefaultConfig(), Deps{})
	mustAppend(t, l, batchOf(t, 1, 1, "a"))
	fs.Inject(vfs.Fault{Op: vfs.OpSync, NameHas: logSuffix, Times: 1})
	if err := l.Sync(context.Background()); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if l.FlushedOffset() != 0 {
		t.Fatalf("flushed %d", l.FlushedOffset())
	}
	if _, err := l.Append(batchOf(t, 1, 1, "b"), 0, AppendOptions{}); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
}

// slowSync holds syncs of segment files until it is let go.
type slowSync struct {
	vfs.FS
	gate  chan struct{}
	syncs atomic.Int32
}

func (s *slowSync) Create(name string) (vfs.File, error) {
	f, err := s.FS.Create(name)
	return slowFile{f, s}, err
}

type slowFile struct {
	vfs.File
	fs *slowSync
}

func (f slowFile) SyncData() error {
	f.fs.syncs.Add(1)
	<-f.fs.gate
	return f.File.SyncData()
}

// With flush.messages=1 appends go on while a sync runs, and the next sync covers all of them.
func TestGroupCommit(t *testing.T) {
	fs := &slowSync{FS: vfs.NewMem(), gate: make(chan struct{})}
	cfg := DefaultConfig()
	cfg.FlushMessages = 1
	l := testLog(t, fs, cfg, Deps{})
	var acked sync.WaitGroup
	var wrong atomic.Int32
	appendOne := func() {
		a := mustAppend(t, l, batchOf(t, 1, 1, "g"))
		if !a.MustFlush {
			t.Fatal("no sync wanted")
		}
		acked.Add(1)
		l.OnFlushed(a.NextOffset, func(err error) {
			defer acked.Done()
			if err != nil || l.FlushedOffset() < a.NextOffset {
				wrong.Add(1)
			}
		})
	}
	appendOne()
	for fs.syncs.Load() == 0 { // the first sync is under way
		fs.gate <- struct{}{}
	}
	for range 50 {
		appendOne()
	}
	close(fs.gate)
	acked.Wait()
	if n := fs.syncs.Load(); n > 4 || wrong.Load() > 0 {
		t.Fatalf("%d syncs for 51 appends, %d acked early", n, wrong.Load())
	}
}

func TestDamagedIndexIsMadeAgain(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, smallSegments(), Deps{})
	for i := range 40 {
		mustAppend(t, l, batchOf(t, 1, kafka.Timestamp(i), "i"))
	}
	want := readAll(t, l, 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := fs.ReadDir(testDir)
	damaged := 0
	for i, name := range names {
		if _, ok := parseFileName(name, indexSuffix); !ok {
			continue
		}
		damaged++
		content := [][]byte{nil, []byte("garbage"), bytes.Repeat([]byte{7}, 400)}[i%3]
		if err := vfs.WriteFileAtomic(fs, testDir+"/"+name, content, true); err != nil {
			t.Fatal(err)
		}
	}
	again := testLog(t, fs, smallSegments(), Deps{})
	for o := again.LogEndOffset() - 1; o >= 0; o-- {
		if !bytes.HasSuffix(want, readAll(t, again, o)) {
			t.Fatalf("read at %d", o)
		}
		if at, _, ok, err := again.OffsetForTime(kafka.Timestamp(o)); at != o || !ok || err != nil {
			t.Fatalf("time %d: %d, %v", o, at, err)
		}
	}
	if damaged < 3 {
		t.Fatalf("%d indexes damaged", damaged)
	}
}

// Any one file of state may be lost or garbage: the log opens with all its records.
func TestDamagedStateFiles(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, smallSegments(), Deps{BootID: "b"})
	for i := range 40 {
		_, err := l.Append(idempotent(t, 1, 1, 0, int32(i)), kafka.LeaderEpoch(i/10), AppendOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	waitRolled(t, l, 3)
	if err := l.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	want, epochs := readAll(t, l, 0), fmt.Sprint(l.Epochs())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := fs.ReadDir(testDir)
	for _, name := range names {
		if _, ok := parseFileName(name, logSuffix); ok {
			continue
		}
		clone := fs.ProcessCrashClone()
		if err := vfs.WriteFileAtomic(clone, testDir+"/"+name, []byte("no"), true); err != nil {
			t.Fatal(err)
		}
		again := testLog(t, clone, smallSegments(), Deps{BootID: "b"})
		if !bytes.Equal(readAll(t, again, 0), want) || fmt.Sprint(again.Epochs()) != epochs {
			t.Fatalf("%s damaged: log [%d,%d), epochs %v", name, again.LocalLogStartOffset(),
				again.LogEndOffset(), again.Epochs())
		}
		p := again.Producers()
		if len(p) != 1 || p[0].LastSequence != 39 {
			t.Fatalf("%s damaged: producers %+v", name, p)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Readers, appends, rolls and releases at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	l := testLog(t, vfs.NewMem(), smallSegments(), Deps{Files: NewFileSet(2)})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			buf := make([]byte, 700)
			var from kafka.Offset
			for {
				select {
				case <-done:
					return
				default:
				}
				n, err := l.Read(buf, from, l.LogEndOffset())
				switch {
				case errors.Is(err, ErrBelowLocalStart):
					from = l.LocalLogStartOffset()
				case errors.Is(err, ErrOffsetOutOfRange):
					from = l.LogEndOffset()
				case err != nil:
					t.Error(err)
					return
				case n > 0:
					from = lastOffset(buf) + 1
				}
			}
		})
	}
	for i := range 2000 {
		mustAppend(t, l, batchOf(t, 2, 1, "c"))
		switch i % 100 {
		case 30:
			_, _, err := l.Release(l.LogEndOffset() - 20)
			if err != nil {
				t.Fatal(err)
			}
		case 60:
			if err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		case 90:
			if err := l.Truncate(l.LogEndOffset() - 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
}

// Reads that find a damaged index while appends add entries to it: the index once got entries out
// of order, and readers skipped batches.
func TestIndexIsMadeAgainBesideAppends(t *testing.T) {
	cfg := DefaultConfig()
	cfg.IndexIntervalBytes = 0
	l := testLog(t, vfs.NewMem(), cfg, Deps{})
	for range 3000 {
		mustAppend(t, l, batchOf(t, 1, 1, "x"))
	}
	s := l.view.Load().segs[0]
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			buf := make([]byte, 100)
			for o := kafka.Offset(i); o < 3000; o += 31 {
				if o%5 == 0 {
					s.index.mu.Lock()
					s.index.sum, s.index.checked = 0, false
					s.index.mu.Unlock()
				}
				n, err := l.Read(buf, o, o+1)
				if err != nil || n == 0 || frameBase(buf) != o {
					t.Errorf("read at %d gives %d bytes at %d, %v", o, n, frameBase(buf), err)
					return
				}
			}
		})
	}
	for range 2000 {
		mustAppend(t, l, batchOf(t, 1, 1, "y"))
	}
	readers.Wait()
	if err := s.index.spill(l.files.indexIO(s)); err != nil {
		t.Fatal(err)
	}
	if n := s.index.len(); n < 2000 {
		t.Fatalf("%d entries", n)
	}
}
