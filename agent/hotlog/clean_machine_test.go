package hotlog

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

var cleanSeeds = flag.Int("clean.seeds", 100, "seeds of the cleaning model test")

// cleanMachine drives a compacted log and its model by a seed.
type cleanMachine struct {
	t       *testing.T
	rng     *rand.Rand
	cfg     Config
	mem     *vfs.Mem
	log     *Log
	model   *cleanModel
	boot    int
	now     time.Time
	seq     map[kafka.ProducerID]int32
	open    map[kafka.ProducerID]bool
	high    kafka.Offset // the high watermark as of the last cleaning
	spying  bool
	looks   int
	crashed *vfs.Mem // a disk as it was in the middle of a cleaning
	power   bool     // crashed is what a power loss left
	broken  error
}

func (m *cleanMachine) deps(boot int) Deps {
	return Deps{
		Files: NewFileSet(3), BootID: fmt.Sprint("boot-", boot), Now: func() time.Time { return m.now },
	}
}

func (m *cleanMachine) start() {
	l, err := Open(spyFS{FS: m.mem, spy: m.spy}, testDir, m.cfg, Opening{}, m.deps(m.boot))
	if err != nil {
		m.t.Fatal(err)
	}
	m.log = l
}

// spy looks, before every file operation of a cleaning, at what a killed process and a power loss
// right now would leave.
func (m *cleanMachine) spy() {
	if !m.spying || m.broken != nil {
		return
	}
	m.looks++
	seed := m.rng.Uint64()
	for _, power := range []bool{false, true} {
		disk, boot := m.mem.ProcessCrashClone(), m.boot
		if power {
			disk, boot = m.mem.CrashClone(seed), m.boot+1
		}
		if m.rng.IntN(40) == 0 {
			m.crashed, m.power = disk.ProcessCrashClone(), power
		}
		if err := m.inspect(disk, boot, m.log.FlushedOffset(), power); err != nil {
			m.broken = fmt.Errorf("crash (power loss %v, seed %d): %w", power, seed, err)
		}
	}
}

func (m *cleanMachine) inspect(disk *vfs.Mem, boot int, flushed kafka.Offset, power bool) error {
	l, err := Open(disk, testDir, m.cfg, Opening{}, m.deps(boot))
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	end := l.LogEndOffset()
	if end > m.model.end() || power && end < flushed || !power && end < m.model.end() {
		return fmt.Errorf("log ends at %d, flushed %d, written %d", end, flushed, m.model.end())
	}
	left := *m.model
	left.batches = slices.Clone(left.batches)
	left.cut(end)
	if err := left.lose(l, flushed); err != nil {
		return err
	}
	return left.check(l, m.rng)
}

func (m *cleanMachine) append() {
	b := record.NewBuilder(record.Codec([]int{0, 0, 0, 2, 4}[m.rng.IntN(5)]))
	w := writtenBatch{base: m.model.end(), producer: -1}
	if m.rng.IntN(2) == 0 {
		w.producer = kafka.ProducerID(m.rng.IntN(4))
		b.Transactional = true
		b.SetProducer(w.producer, 1, m.seq[w.producer])
		m.open[w.producer] = true
	}
	for i := range 1 + m.rng.IntN(4) {
		r := written{
			offset: w.base + kafka.Offset(i), key: fmt.Sprint("key", m.rng.IntN(24)),
			ts: kafka.TimestampOf(m.now),
		}
		var value []byte
		if m.rng.IntN(5) > 0 {
			r.value = fmt.Sprintf("value-%d-%0*d", r.offset, m.rng.IntN(120), 7)
			value = []byte(r.value)
		}
		b.Append(r.ts, []byte(r.key), value)
		w.records = append(w.records, r)
	}
	w.next = w.base + kafka.Offset(len(w.records))
	if w.producer >= 0 {
		m.seq[w.producer] += int32(len(w.records))
		w.lastSeq = m.seq[w.producer] - 1
	}
	batch, err := b.Build()
	m.must(err)
	m.put(batch, w)
}

func (m *cleanMachine) endTxn() {
	open := slices.Sorted(maps.Keys(m.open))
	if len(open) == 0 {
		return
	}
	w := writtenBatch{base: m.model.end(), next: m.model.end() + 1, producer: open[0]}
	kind := record.Commit
	if w.abort = m.rng.IntN(2) == 0; w.abort {
		kind = record.Abort
	}
	m.put(record.NewMarker(kind, w.producer, 1, 0, kafka.TimestampOf(m.now)), w)
	delete(m.open, w.producer)
}

func (m *cleanMachine) put(b record.Batch, w writtenBatch) {
	m.model.batches = append(m.model.batches, w)
	a, err := m.log.Append(b, 0, AppendOptions{})
	m.must(err)
	if a.BaseOffset != w.base || a.NextOffset != w.next {
		m.t.Fatalf("appended at [%d,%d), want [%d,%d)", a.BaseOffset, a.NextOffset, w.base, w.next)
	}
}

func (m *cleanMachine) clean(slots int64, spying bool) Cleaned {
	if m.rng.IntN(4) > 0 {
		_, err := m.log.Roll()
		m.must(err)
	}
	m.must(m.log.Checkpoint())
	waitReported(m.t, m.log)
	m.spying = spying
	m.high, m.model.touched = m.log.LogEndOffset(), max(m.model.touched, m.log.LastStableOffset())
	out, err := m.log.Clean(CleanOptions{
		Map: keys.NewMap(slots*24, 0.9), Stable: m.log.LastStableOffset(), Now: m.now,
		DeleteRetention: time.Hour, MinLag: time.Duration(m.rng.IntN(2)) * time.Minute,
	})
	m.spying = false
	if !errors.Is(err, ErrMapTooSmall) {
		m.must(err)
	}
	m.must(m.broken)
	if m.crashed != nil {
		m.restart(m.crashed, m.power)
	}
	return out
}

// waitReported waits for the work behind the last roll.
func waitReported(t *testing.T, l *Log) {
	t.Helper()
	waitRolled(t, l, len(l.view.Load().segs)-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.work.running {
		l.mu.Unlock()
		waitFor(&l.workMu)
		l.mu.Lock()
	}
}

// waitFor waits for whoever holds a lock.
func waitFor(l sync.Locker) {
	l.Lock()
	defer l.Unlock()
}

func (m *cleanMachine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// restart goes on with a disk that a crash left.
func (m *cleanMachine) restart(disk *vfs.Mem, power bool) {
	m.crashed = nil
	flushed := m.log.FlushedOffset()
	_ = m.log.Close() // its disk is not looked at again
	if power {
		m.boot++
	}
	m.mem = disk
	m.start()
	if end := m.log.LogEndOffset(); !power && end != m.model.end() || end > m.model.end() {
		m.t.Fatalf("log ends at %d, flushed %d, written %d", end, flushed, m.model.end())
	}
	m.must(m.model.lose(m.log, flushed))
	m.settle()
}

// settle takes over what a crash lost.
func (m *cleanMachine) settle() {
	m.high = min(m.high, m.log.LogEndOffset())
	m.model.cut(m.log.LogEndOffset())
	clear(m.open)
	clear(m.seq)
	for _, b := range m.model.batches {
		if b.producer < 0 {
			continue
		}
		delete(m.open, b.producer)
		if len(b.records) > 0 {
			m.open[b.producer], m.seq[b.producer] = true, b.lastSeq+1
		}
	}
}

func (m *cleanMachine) crash(power bool) {
	disk := m.mem.ProcessCrashClone()
	if power {
		disk = m.mem.CrashClone(m.rng.Uint64())
	}
	m.restart(disk, power)
}

// forget loses checkpoints: with the durable one the next open scans all files, unless the fast one
// is there, which must not speak of segments that were swapped out.
func (m *cleanMachine) forget() {
	if m.rng.IntN(2) == 0 {
		m.must(m.log.Close())
	}
	disk := m.mem.ProcessCrashClone()
	m.must(removeIfThere(disk, testDir+"/"+checkpointFile))
	if m.rng.IntN(2) == 0 {
		m.must(removeIfThere(disk, testDir+"/"+fastFile))
	}
	m.restart(disk, false)
}

func (m *cleanMachine) truncate() {
	first := max(m.high, m.log.LocalLogStartOffset()) // no one truncates below a high watermark
	to := first + kafka.Offset(m.rng.Int64N(int64(m.log.LogEndOffset()-first)+1))
	m.must(m.log.Truncate(to))
	m.settle()
}

func (m *cleanMachine) release() {
	below := kafka.Offset(m.rng.Int64N(int64(m.log.LastStableOffset()) + 1))
	_, _, err := m.log.Release(below)
	m.must(err)
	m.model.start = m.log.LocalLogStartOffset()
}

func (m *cleanMachine) step() {
	switch n := m.rng.IntN(100); {
	case n < 55:
		m.append()
	case n < 70:
		m.endTxn()
	case n < 76:
		m.now = m.now.Add(time.Duration(m.rng.Int64N(int64(90 * time.Minute))))
	case n < 79:
		m.must(m.log.Checkpoint())
	case n < 80:
		mustSync(m.t, m.log)
	case n < 90:
		m.clean(int64(16+m.rng.IntN(40)), true)
	case n < 92:
		m.crash(false)
	case n < 94:
		m.crash(true)
	case n < 96:
		m.must(m.log.Close())
		m.start()
	case n < 98:
		m.forget()
	case n < 99:
		m.truncate()
	case n < 100 && m.model.start == 0:
		m.release()
	}
	if err := m.model.check(m.log, m.rng); err != nil {
		m.t.Fatal(err)
	}
}

// finish settles all transactions and cleans until nothing is left to do: what the log holds then is
// the map.
func (m *cleanMachine) finish() {
	m.must(m.log.SetLogStartOffset(m.log.LocalLogStartOffset())) // or tombstones stay
	for len(m.open) > 0 {
		m.endTxn()
	}
	for range 4 {
		m.append()
		for len(m.open) > 0 {
			m.endTxn()
		}
		_, err := m.log.Roll()
		m.must(err)
		m.now = m.now.Add(2 * time.Hour)
		m.clean(1<<10, false)
	}
	// Twice more, since a tombstone of the last append needs to be met and to expire.
	for range 2 {
		m.now = m.now.Add(2 * time.Hour)
		m.log.mu.Lock()
		m.log.cleaned = 0
		m.log.mu.Unlock()
		_, err := m.log.Roll()
		m.must(err)
		m.clean(1<<10, false)
	}
	want, _ := m.model.committed()
	values := map[string]written{}
	for _, w := range want {
		if values[w.key] = w; w.value == "" {
			delete(values, w.key)
		}
	}
	got, err := consume(m.log, m.log.LocalLogStartOffset())
	m.must(err)
	for _, g := range got {
		if values[g.key] != g {
			m.t.Fatalf("left over: %+v, the key has %+v", g, values[g.key])
		}
		delete(values, g.key)
	}
	for _, w := range values {
		if w.offset >= m.model.start {
			m.t.Fatalf("lost: %+v", w)
		}
	}
}

// V2 of compacted logs: random writes, transactions, cleanings, crashes at every file operation of
// them, restarts with and without checkpoints. Readers see every key's last value, whatever
// happens, and after enough cleaning nothing else.
func TestCleanModel(t *testing.T) {
	looks := 0
	for seed := range *cleanSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 0xc1ea))
			cfg := DefaultConfig()
			cfg.SegmentBytes = int64(900 + r.IntN(3000))
			cfg.IndexIntervalBytes = r.IntN(600)
			m := &cleanMachine{
				t: t, rng: r, cfg: cfg, mem: vfs.NewMem(), model: &cleanModel{},
				now:  time.UnixMilli(1_700_000_000_000),
				open: map[kafka.ProducerID]bool{}, seq: map[kafka.ProducerID]int32{},
			}
			m.start()
			defer func() { _ = m.log.Close() }()
			for range 120 {
				m.step()
			}
			m.finish()
			looks += m.looks
		})
	}
	t.Logf("%d points of crash", looks)
}
