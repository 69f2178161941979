package hotlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// model is what a log should hold: a plain slice of batches.
type model struct {
	mu      sync.Mutex // the log's goroutine takes clones, too
	start   kafka.Offset
	batches [][]byte // from start on, released ones too
	// During Truncate and Reset the log may hold less than batches.
	floor kafka.Offset // what a truncation under way leaves, or -1
	reset kafka.Offset // where a reset under way begins, or -1
}

func (m *model) end() kafka.Offset {
	if len(m.batches) == 0 {
		return m.start
	}
	return record.Batch(m.batches[len(m.batches)-1]).NextOffset()
}

// cut gives how many batches end at or below an offset.
func (m *model) cut(to kafka.Offset) int {
	n := len(m.batches)
	for n > 0 && record.Batch(m.batches[n-1]).NextOffset() > to {
		n--
	}
	return n
}

// checkLog compares a log with the model: dense, the model's bytes, at least up to atLeast.
func (m *model) checkLog(l *Log, atLeast kafka.Offset) error {
	from, end := l.LocalLogStartOffset(), l.LogEndOffset()
	if m.reset >= 0 && from == m.reset && end == m.reset {
		return nil
	}
	if m.floor >= 0 {
		atLeast = min(atLeast, m.floor)
	}
	if end < atLeast || end > m.end() || from > end || from < m.start {
		return fmt.Errorf("log [%d,%d), model [%d,%d), at least up to %d",
			from, end, m.start, m.end(), atLeast)
	}
	buf := make([]byte, 1<<16)
	for at := from; at < end; {
		n, err := l.Read(buf, at, end)
		if err != nil || n == 0 {
			return fmt.Errorf("read at %d of [%d,%d): %d bytes, %w", at, from, end, n, err)
		}
		for rest := buf[:n]; len(rest) > 0; {
			b, r, err := record.Next(rest)
			if err != nil {
				return err
			}
			i := m.cut(b.BaseOffset())
			if b.BaseOffset() != at || i >= len(m.batches) || !bytes.Equal(b, m.batches[i]) {
				return fmt.Errorf("other bytes at %d: base %d, epoch %d, %d bytes, batch %d of %d",
					at, b.BaseOffset(), b.LeaderEpoch(), len(b), i, len(m.batches))
			}
			at, rest = b.NextOffset(), r
		}
	}
	return nil
}

// spyFS takes a crash clone before some of the calls that change the disk.
type spyFS struct {
	vfs.FS
	spy func()
}

func (f spyFS) Create(name string) (vfs.File, error) {
	f.spy()
	return f.wrap(f.FS.Create(name))
}

func (f spyFS) OpenReadWrite(name string) (vfs.File, error) {
	return f.wrap(f.FS.OpenReadWrite(name))
}

func (f spyFS) wrap(inner vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return spyFile{inner, f.spy}, nil
}

func (f spyFS) Remove(name string) error { f.spy(); return f.FS.Remove(name) }
func (f spyFS) Rename(a, b string) error { f.spy(); return f.FS.Rename(a, b) }
func (f spyFS) SyncDir(dir string) error { f.spy(); return f.FS.SyncDir(dir) }

type spyFile struct {
	vfs.File
	spy func()
}

func (f spyFile) WriteAt(p []byte, off int64) (int, error) {
	f.spy()
	return f.File.WriteAt(p, off)
}

func (f spyFile) Sync() error            { f.spy(); return f.File.Sync() }
func (f spyFile) SyncData() error        { f.spy(); return f.File.SyncData() }
func (f spyFile) Truncate(n int64) error { f.spy(); return f.File.Truncate(n) }

// machine drives a log and its model.
type machine struct {
	t     *rapid.T
	cfg   Config
	mem   *vfs.Mem
	log   *Log
	model *model
	boot  int
	epoch kafka.LeaderEpoch
	seq   int

	rngMu  sync.Mutex
	rng    *rand.Rand
	spying atomic.Bool
	broken atomic.Pointer[error]
}

func (m *machine) deps() Deps {
	return Deps{Files: NewFileSet(3), BootID: fmt.Sprint("boot-", m.boot)}
}

func (m *machine) open() {
	fs := spyFS{FS: m.mem, spy: m.spy}
	l, err := Open(fs, testDir, m.cfg, Opening{StartOffset: m.model.start}, m.deps())
	if err != nil {
		m.t.Fatal(err)
	}
	m.log = l
	m.spying.Store(true)
}

// spy looks, at one call in some, at what a power loss right now would leave.
func (m *machine) spy() {
	m.rngMu.Lock()
	look, seed := m.rng.IntN(25) == 0, m.rng.Uint64()
	m.rngMu.Unlock()
	if !look || !m.spying.Load() {
		return
	}
	m.model.mu.Lock()
	defer m.model.mu.Unlock()
	flushed := m.log.FlushedOffset()
	if err := m.inspect(m.mem.CrashClone(seed), flushed, "another boot"); err != nil {
		err = fmt.Errorf("power loss with seed %d: %w", seed, err)
		m.broken.CompareAndSwap(nil, &err)
	}
}

func (m *machine) inspect(disk *vfs.Mem, atLeast kafka.Offset, boot string) error {
	o := Opening{StartOffset: m.model.start}
	l, err := Open(disk, testDir, m.cfg, o, Deps{Files: NewFileSet(3), BootID: boot})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if err := m.model.checkLog(l, atLeast); err != nil {
		return err
	}
	if got := l.epochs.latest(); got > m.epoch {
		return fmt.Errorf("leader epoch %d from nowhere", got)
	}
	return nil
}

func (m *machine) append(t *rapid.T) {
	b := record.NewBuilder(record.None)
	if rapid.Bool().Draw(t, "idempotent") {
		b.SetProducer(9, int16(m.epoch), int32(m.seq))
	}
	for range rapid.IntRange(1, 4).Draw(t, "records") {
		size := rapid.IntRange(0, 900).Draw(t, "size")
		value := bytes.Repeat([]byte{byte(m.rngByte())}, size)
		b.Append(kafka.Timestamp(rapid.IntRange(0, 1000).Draw(t, "time")), nil, value)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	m.model.mu.Lock()
	before := m.model.end()
	patched := record.Batch(bytes.Clone(batch)) // the model knows before: a clone may have it
	patched.SetBaseOffset(before)
	patched.SetLeaderEpoch(m.epoch)
	m.model.batches = append(m.model.batches, patched)
	m.model.mu.Unlock()
	a, err := m.log.Append(batch, m.epoch, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if batch.ProducerID() >= 0 {
		m.seq += int(batch.Count())
	}
	if a.BaseOffset != before || a.NextOffset != patched.NextOffset() {
		t.Fatalf("appended at [%d,%d), want %d", a.BaseOffset, a.NextOffset, before)
	}
	if a.MustFlush {
		mustSync(t, m.log)
		if m.log.FlushedOffset() < a.NextOffset {
			t.Fatal("acked before it is flushed")
		}
	}
}

func (m *machine) rngByte() byte {
	m.rngMu.Lock()
	defer m.rngMu.Unlock()
	return byte(m.rng.Uint32())
}

func (m *machine) truncate(t *rapid.T) {
	start := m.log.LocalLogStartOffset()
	to := kafka.Offset(rapid.Int64Range(int64(start), int64(m.log.LogEndOffset())).Draw(t, "to"))
	m.model.mu.Lock()
	n := m.model.cut(to)
	m.model.floor = to
	if n < len(m.model.batches) {
		m.model.floor = record.Batch(m.model.batches[n]).BaseOffset()
	}
	m.model.mu.Unlock()
	if err := m.log.Truncate(to); err != nil {
		t.Fatal(err)
	}
	m.model.mu.Lock()
	m.model.batches, m.model.floor = m.model.batches[:n:n], -1
	m.model.mu.Unlock()
	m.nextEpoch(t)
}

func (m *machine) reset(t *rapid.T) {
	to := kafka.Offset(rapid.Int64Range(0, int64(m.model.end())+9).Draw(t, "start"))
	m.model.mu.Lock()
	m.model.reset = to
	m.model.mu.Unlock()
	if err := m.log.Reset(Opening{StartOffset: to}); err != nil {
		t.Fatal(err)
	}
	m.model.mu.Lock()
	m.model.start, m.model.batches, m.model.reset = to, nil, -1
	m.model.mu.Unlock()
	m.nextEpoch(t)
}

func (m *machine) nextEpoch(t *rapid.T) {
	m.model.mu.Lock()
	m.epoch++ // a producer epoch as well: what was truncated may have its sequences
	m.seq = 0
	m.model.mu.Unlock()
	if err := m.log.AssignEpoch(m.epoch); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) release(t *rapid.T) {
	below := rapid.Int64Range(0, int64(m.log.LogEndOffset())).Draw(t, "below")
	if _, _, err := m.log.Release(kafka.Offset(below)); err != nil {
		t.Fatal(err)
	}
}

// crash kills the process, or the machine with it, and opens what is left.
func (m *machine) crash(t *rapid.T, power bool) {
	atLeast := m.log.LogEndOffset()
	disk := m.mem.ProcessCrashClone()
	if power {
		atLeast = m.log.FlushedOffset()
		disk = m.mem.CrashClone(rapid.Uint64().Draw(t, "seed"))
		m.boot++
	}
	m.spying.Store(false)
	_ = m.log.Close() // its disk is not looked at again
	m.mem = disk
	m.open()
	m.settle(t, atLeast)
}

func (m *machine) reopen(t *rapid.T) {
	if err := m.log.Close(); err != nil {
		t.Fatal(err)
	}
	m.open()
	m.settle(t, m.model.end())
	if got := m.log.FlushedOffset(); got != m.log.LogEndOffset() {
		t.Fatalf("clean close left [%d,%d) unflushed", got, m.log.LogEndOffset())
	}
}

// settle checks a reopened log and takes over what it lost.
func (m *machine) settle(t *rapid.T, atLeast kafka.Offset) {
	m.model.mu.Lock()
	err := m.model.checkLog(m.log, atLeast)
	if err == nil {
		n := m.model.cut(m.log.LogEndOffset())
		m.model.batches = m.model.batches[:n:n]
	}
	m.model.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	m.nextEpoch(t)
}

func (m *machine) check(t *rapid.T) {
	if err := m.broken.Load(); err != nil {
		t.Fatal(*err)
	}
	m.model.mu.Lock()
	defer m.model.mu.Unlock()
	if err := m.model.checkLog(m.log, m.model.end()); err != nil {
		t.Fatal(err)
	}
}

// V2: random operations, with a look at what a power loss leaves at random calls to the disk.
// Nothing flushed is lost, nothing written is lost by a killed process, offsets stay dense, and
// bytes are those that were appended.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.SegmentBytes = int64(rapid.IntRange(4000, 9000).Draw(t, "segment bytes"))
		cfg.IndexIntervalBytes = rapid.IntRange(0, 2000).Draw(t, "index interval")
		cfg.FlushMessages = rapid.SampledFrom([]int64{1, 5, 1 << 40}).Draw(t, "flush messages")
		m := &machine{
			t: t, cfg: cfg, mem: vfs.NewMem(), model: &model{floor: -1, reset: -1},
			rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)),
		}
		m.open()
		defer func() {
			m.spying.Store(false)
			_ = m.log.Close()
		}()
		t.Repeat(map[string]func(*rapid.T){
			"":           m.check,
			"append":     m.append,
			"append2":    m.append,
			"append3":    m.append,
			"sync":       func(t *rapid.T) { mustSync(t, m.log) },
			"checkpoint": func(t *rapid.T) { must(t, m.log.Checkpoint()) },
			"roll":       func(t *rapid.T) { _, err := m.log.Roll(); must(t, err) },
			"release":    m.release,
			"truncate":   m.truncate,
			"reset":      m.reset,
			"kill":       func(t *rapid.T) { m.crash(t, false) },
			"power loss": func(t *rapid.T) { m.crash(t, true) },
			"reopen":     m.reopen,
		})
	})
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
