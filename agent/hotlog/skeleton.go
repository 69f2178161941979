package hotlog

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// FileSet bounds the open files of all logs that share it.
type FileSet struct{ max int }

// NewFileSet keeps at most max descriptors open that no one is using; 0 means half of the process's
// limit, 4096 at most.
func NewFileSet(max int) *FileSet { return &FileSet{max: max} }

// Close closes idle descriptors. Logs must be closed before.
func (s *FileSet) Close() error { return nil }

// Metrics counts over all logs of an agent.
type Metrics struct{}

// NewMetrics registers with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics { return &Metrics{} }

// Opening is what the caller knows from the catalog.
type Opening struct {
	// StartOffset, Epochs and Producers are where the log begins when its directory is empty: the
	// sealed end and what was sealed there. Otherwise the directory knows better.
	StartOffset kafka.Offset
	Epochs      []kafka.EpochStart
	// LogStartOffset is the committed one; the log's is never below it.
	LogStartOffset kafka.Offset
}

// Log is one partition's log on local disk.
type Log struct{}

// Open recovers the log in dir, or begins one.
func Open(fs vfs.FS, dir string, cfg Config, opening Opening, deps Deps) (*Log, error) {
	return &Log{}, nil
}

func (l *Log) SetConfig(cfg Config) error { return nil }
func (l *Log) Append(records []byte, epoch kafka.LeaderEpoch, o AppendOptions) (Appended, error) {
	return Appended{}, nil
}
func (l *Log) Read(dst []byte, from, until kafka.Offset) (int, error) { return 0, nil }
func (l *Log) LogEndOffset() kafka.Offset                             { return 0 }
func (l *Log) LocalLogStartOffset() kafka.Offset                      { return 0 }
func (l *Log) LogStartOffset() kafka.Offset                           { return 0 }
func (l *Log) SetLogStartOffset(o kafka.Offset) error                 { return nil }

// LastStableOffset is the first offset of the oldest open transaction, or the log end offset.
func (l *Log) LastStableOffset() kafka.Offset { return 0 }

// StableOffset is the last stable offset under a high watermark: it also stays below transactions
// whose marker is not below the high watermark.
func (l *Log) StableOffset(highWatermark kafka.Offset) kafka.Offset { return 0 }
func (l *Log) FlushedOffset() kafka.Offset                          { return 0 }

// OnFlushed calls fn once, with nil when everything below next is synced (inline if it is), or with
// the error that prevents it; it asks for a sync.
func (l *Log) OnFlushed(next kafka.Offset, fn func(error)) {}
func (l *Log) Sync(ctx context.Context) error              { return nil }
func (l *Log) Roll() (bool, error)                         { return false, nil }
func (l *Log) MaybeRoll(now time.Time) (bool, error)       { return false, nil }

// ActiveSince is when the active segment got its first record; false when it holds none.
func (l *Log) ActiveSince() (time.Time, bool) { return time.Time{}, false }
func (l *Log) Rolled() []RolledSegment        { return nil }
func (l *Log) OpenSegment(base kafka.Offset) (SegmentFile, error) {
	return nil, ErrNoSegment
}
func (l *Log) Release(below kafka.Offset) (segments int, bytes int64, err error) { return 0, 0, nil }
func (l *Log) Truncate(to kafka.Offset) error                                    { return nil }
func (l *Log) Reset(start Opening) error                                         { return nil }
func (l *Log) Epochs() []kafka.EpochStart                                        { return nil }

// EpochEnd is the largest epoch at or below the one asked for, and where it ends (KIP-279).
func (l *Log) EpochEnd(epoch kafka.LeaderEpoch) (kafka.LeaderEpoch, kafka.Offset) { return 0, 0 }
func (l *Log) AssignEpoch(epoch kafka.LeaderEpoch) error                          { return nil }
func (l *Log) OffsetForTime(ts kafka.Timestamp) (kafka.Offset, kafka.Timestamp, bool, error) {
	return 0, 0, false, nil
}
func (l *Log) MaxTimestamp() (kafka.Offset, kafka.Timestamp, error) { return 0, 0, nil }
func (l *Log) SizeBytes() int64                                     { return 0 }

// Checkpoint writes what bounds the next recovery, without a sync; call it every few seconds for all
// logs. It does nothing when nothing was appended since.
func (l *Log) Checkpoint() error { return nil }

// OnRolled sets the function called, from the log's own goroutine, when Rolled has grown.
func (l *Log) OnRolled(fn func()) {}
func (l *Log) Close() error       { return nil }

// RemoveDir closes the log without a flush and removes its directory.
func (l *Log) RemoveDir() error { return nil }
