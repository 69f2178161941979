package hotlog

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
)

// Opening is what the caller knows from the catalog.
type Opening struct {
	// StartOffset, Epochs and Producers are where the log begins when its directory is empty: the
	// sealed end and what was sealed there. Otherwise the directory knows better.
	StartOffset kafka.Offset
	Epochs      []kafka.EpochStart
	Producers   []segment.ProducerState
	// LogStartOffset is the committed one; the log's is never below it.
	LogStartOffset kafka.Offset
}

// view is what readers see: segments ascending, the active one last. It is never changed, only
// replaced.
type view struct{ segs []*hotSegment }

func (v *view) active() *hotSegment { return v.segs[len(v.segs)-1] }

// Log is one partition's log on local disk. See the package comment for concurrency.
type Log struct {
	files   files
	deps    Deps
	metrics *Metrics

	// view and end are what readers look at without a lock; viewMu is held shared while reading and
	// alone while Truncate and Reset change bytes that readers could see.
	view      atomic.Pointer[view]
	viewMu    sync.RWMutex
	end       atomic.Int64 // log end offset
	flushed   atomic.Int64 // everything below is synced
	mustFlush atomic.Int64 // end of the newest append whose ack waits for a sync
	undecide  atomic.Int64 // first offset of the oldest open transaction, or math.MaxInt64
	logStart  atomic.Int64
	bytes     atomic.Int64
	closed    atomic.Bool // set with viewMu held alone

	rebuildMu sync.Mutex // one index is made again at a time
	cleanMu   sync.Mutex // one cleaning at a time; taken first, and never waited for

	// workMu is held by what syncs and by what must not meet a sync.
	workMu sync.Mutex

	mu        sync.Mutex // guards what follows and the info of the active segment
	cfg       Config
	state     logState
	failure   error
	epochs    epochHistory
	producers producerTable
	txns      txnTable
	cleaned   kafka.Offset // a cleaning has seen all keys below; see Cleanable
	dropped   kafka.Offset // tombstones below may have been dropped; see Cleaning
	gen       uint32       // the highest generation of a segment file ever seen here
	staged    []txnEvent
	verifying map[kafka.ProducerID]verification
	guards    Guard // the last one given
	jitter    time.Duration
	expireAt  int64 // wall clock in ms of the next expiration of producers
	rebuilt   bool  // by Open, see Rebuilt; fixed after it
	marks     marks
	work      work
	workers   sync.WaitGroup
	onRolled  func()
}

type logState int

const (
	stateOpen logState = iota
	stateClosing
	stateClosed
)

// marks counts towards flushes and checkpoints.
type marks struct {
	sequence       uint64 // of the last checkpoint
	unflushed      int64  // records since the last flush was asked for
	sinceFast      int64  // bytes since the last checkpoint
	changed        bool   // since the last checkpoint of any kind
	durableChanged bool   // since the last durable checkpoint
	dirChanged     bool   // names were created that are not synced
}

// Open recovers the log in dir, or begins one. It reads the newest checkpoint and the batches after
// it, nothing else; ErrCorrupt when the files contradict each other in a way that only Reset (by
// opening an emptied directory) can mend.
func Open(fs vfs.FS, dir string, cfg Config, opening Opening, deps Deps) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	if deps.Files == nil {
		return nil, fmt.Errorf("open log %s: no FileSet", dir)
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = NewMetrics(nil)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	l := &Log{
		files: files{fs: fs, dir: dir, set: deps.Files}, deps: deps, metrics: deps.Metrics,
		cfg: cfg, producers: newProducerTable(),
	}
	if err := l.recover(opening); err != nil {
		l.abandon()
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	return l, nil
}

// abandon closes the descriptors of a log that could not be opened.
func (l *Log) abandon() {
	if v := l.view.Load(); v != nil {
		for _, s := range v.segs {
			l.files.drop(s)
		}
	}
}

// SetConfig changes the settings from the next append on.
func (l *Log) SetConfig(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfg = cfg
	l.drawJitterLocked()
	return nil
}

func (l *Log) drawJitterLocked() {
	l.jitter = 0
	if l.cfg.SegmentJitter > 0 {
		l.jitter = rand.N(l.cfg.SegmentJitter)
	}
}

// LogEndOffset is the offset the next record will get.
func (l *Log) LogEndOffset() kafka.Offset { return kafka.Offset(l.end.Load()) }

// FlushedOffset is the end of what a power loss leaves.
func (l *Log) FlushedOffset() kafka.Offset { return kafka.Offset(l.flushed.Load()) }

// FlushDueOffset is the end of the newest append that had MustFlush. While FlushedOffset is below it,
// an append that comes later must not be acked either.
func (l *Log) FlushDueOffset() kafka.Offset { return kafka.Offset(l.mustFlush.Load()) }

// LocalLogStartOffset is the base offset of the oldest segment on this disk.
func (l *Log) LocalLogStartOffset() kafka.Offset { return l.view.Load().segs[0].base }

// LogStartOffset is the first offset that the partition still has, here or in the bucket.
func (l *Log) LogStartOffset() kafka.Offset { return kafka.Offset(l.logStart.Load()) }

// SetLogStartOffset moves the log start offset forward, after the catalog has committed it. A lower
// one changes nothing; one above the log end is ErrOffsetOutOfRange.
func (l *Log) SetLogStartOffset(o kafka.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o > l.LogEndOffset() {
		return fmt.Errorf("log start %d above log end %d: %w",
			o, l.LogEndOffset(), ErrOffsetOutOfRange)
	}
	if o <= l.LogStartOffset() {
		return nil
	}
	l.logStart.Store(int64(o))
	l.forgetEpochs()
	l.marks.changed, l.marks.durableChanged = true, true
	return nil
}

// forgetEpochs drops the history below the log start, but for what a local segment still holds: it
// may be sealed, and names the epochs of all its records then.
func (l *Log) forgetEpochs() {
	l.epochs.truncateStart(min(l.LogStartOffset(), l.LocalLogStartOffset()))
}

// LastStableOffset is the first offset of the oldest open transaction, or the log end offset.
// Readers want StableOffset, which knows the high watermark.
func (l *Log) LastStableOffset() kafka.Offset {
	end := l.end.Load() // before the other: a transaction that begins now is above it
	return kafka.Offset(min(end, l.undecide.Load()))
}

// StableOffset is the last stable offset under a high watermark: it also stays below transactions
// whose marker is not below the high watermark.
func (l *Log) StableOffset(highWatermark kafka.Offset) kafka.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.txns.open) == 0 && len(l.txns.ended) == 0 {
		return highWatermark
	}
	return l.txns.stable(highWatermark)
}

// SizeBytes is the size of all segment files.
func (l *Log) SizeBytes() int64 { return l.bytes.Load() }

// ActiveSince is when the active segment got its first record; false when it holds none.
func (l *Log) ActiveSince() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info := &l.view.Load().active().info
	if info.bytes == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(info.firstAppendMs), true
}

// ActiveNewest is the largest timestamp in the active segment; kafka.NoTimestamp when none has one.
func (l *Log) ActiveNewest() kafka.Timestamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view.Load().active().info.maxTimestamp
}

// Epochs is the leader-epoch history from the log start on.
func (l *Log) Epochs() []kafka.EpochStart {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]kafka.EpochStart(nil), l.epochs.entries...)
}

// EpochEnd is the largest epoch at or below the one asked for and the offset where the next begins,
// or the log end offset for the latest (KIP-101, KIP-279). An epoch above the latest is not known:
// kafka.NoLeaderEpoch and kafka.NoOffset. One below the oldest ends where the oldest begins.
func (l *Log) EpochEnd(epoch kafka.LeaderEpoch) (kafka.LeaderEpoch, kafka.Offset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.end(epoch, l.LogEndOffset())
}

// AssignEpoch notes that a leader of this epoch appends from the log end offset on. ErrFenced when
// the log has a higher one. It is kept in memory until a record carries it: an epoch without
// records that a crash forgets is never led in again.
func (l *Log) AssignEpoch(epoch kafka.LeaderEpoch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writableLocked(); err != nil {
		return err
	}
	if latest := l.epochs.latest(); epoch < latest {
		return fmt.Errorf("assign leader epoch %d, log has %d: %w", epoch, latest, ErrFenced)
	}
	l.epochs.assign(epoch, l.LogEndOffset())
	return nil
}

func (l *Log) writableLocked() error {
	switch {
	case l.state != stateOpen:
		return ErrClosed
	case l.failure != nil:
		return l.failure
	}
	return nil
}

// failLocked lets the log take no more appends.
func (l *Log) failLocked(cause error) error {
	if l.failure != nil {
		return l.failure
	}
	l.failure = fmt.Errorf("%w: %w", ErrFailed, cause)
	l.deps.Logger.Error("hot log failed", "err", cause)
	l.metrics.failures.Inc()
	if l.deps.OnFailure != nil {
		go l.deps.OnFailure(l.failure)
	}
	l.requestLocked(request{flush: true}) // to tell those who wait for a sync
	return l.failure
}

func (l *Log) nowMs() int64 { return l.deps.Now().UnixMilli() }
