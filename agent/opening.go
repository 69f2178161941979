package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Bounds of the pauses between tries that an unreachable bucket holds up and nobody waits for.
const (
	retryPauseMin = 200 * time.Millisecond
	retryPauseMax = 30 * time.Second
)

// doubt says what this start cannot rely on (design, section 6).
type doubt struct {
	// stale: the disk may have lost what was written, or another disk had the agent id since. Each
	// log is held against its manifest before it is led.
	stale bool
	// fence: the process that led before may still be at work, or its writes under way. Each manifest
	// is fenced before the log goes on.
	fence bool
	// archived: the last run stopped in order and left all of its records in the bucket.
	archived bool
}

// openAll opens the partitions led that are not open, in parallel, and returns those that open. The
// others are noted as offline and left alone until retryOffline. followMu is held.
func (a *Agent) openAll(
	ctx context.Context, next *topology, led []ledPartition,
) []*partition.Partition {
	var mu sync.Mutex
	var opened []*partition.Partition
	failed := map[kafka.TopicPartition]error{}
	var group errgroup.Group
	group.SetLimit(opensMax)
	for _, l := range led {
		if err, offline := a.offline[l.tp]; offline {
			mu.Lock()
			failed[l.tp] = err
			mu.Unlock()
			continue
		}
		if next.open[l.tp] != nil {
			continue
		}
		group.Go(func() error {
			p, err := a.openPartition(ctx, l)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[l.tp] = fmt.Errorf("open partition %d of topic %q: %w",
					l.tp.Partition, l.topic.Name, err)
				return nil
			}
			opened = append(opened, p)
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	for tp := range a.offline {
		if _, still := failed[tp]; !still {
			a.removeIfDeleted(tp, next.state)
		}
	}
	a.offline = failed
	return opened
}

// reportOffline publishes which partitions are offline and returns that. followMu is held.
func (a *Agent) reportOffline() error {
	if len(a.offline) == 0 {
		a.notReady.Store(nil)
		return nil
	}
	var some []error
	for err := range maps.Values(a.offline) {
		if some = append(some, err); len(some) == offlineNamedMax {
			break
		}
	}
	err := fmt.Errorf("%d partitions are offline: %w", len(a.offline), errors.Join(some...))
	a.notReady.Store(&err)
	return err
}

// offlineNamedMax bounds how many partitions a report of offline ones names.
const offlineNamedMax = 10

// damaged tells a log that contradicts itself, which no second try mends.
func damaged(err error) bool {
	return errors.Is(err, hotlog.ErrCorrupt) || errors.Is(err, record.ErrCorrupt)
}

// openPartition opens the hot log of a partition and takes over its leadership. Where this disk may
// not hold the newest records, the bucket says where the log begins.
func (a *Agent) openPartition(
	ctx context.Context, l ledPartition,
) (*partition.Partition, error) {
	archive := partition.NewArchive(a.catalog, l.tp)
	logger := a.logger.With(slog.String("topic", l.topic.Name),
		slog.Int64("partition", int64(l.tp.Partition)))
	log, err := a.openLog(ctx, l, archive)
	if err != nil {
		return nil, err
	}
	p, err := partition.New(partition.Parts{
		TopicPartition: l.tp, Topic: l.topic.Name, LeaderEpoch: l.epoch,
		Settings: l.topic.Settings, Log: log, Archive: archive, Reads: a.reads, Logger: logger,
	})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	log.OnRolled(func() { a.sealer.Notify(l.tp) })
	return p, nil
}

// openLog opens what the disk has of a partition and holds it against the bucket where the disk may
// have less, or other, than was committed: also a log without a checkpoint of its own, which may have
// been killed before its first append was whole and would begin at 0. A topic made by this run has
// nothing in the bucket.
func (a *Agent) openLog(
	ctx context.Context, l ledPartition, archive partition.Archive,
) (*hotlog.Log, error) {
	known, err := hotlog.HasCheckpoint(a.fs, a.dir.PartitionPath(l.tp))
	if err != nil {
		return nil, err
	}
	var b beginning
	doubtful := l.epoch > 0 && (a.doubt.stale || !known)
	if doubtful {
		if b, err = a.beginningOf(ctx, l, archive); err != nil {
			return nil, err
		}
	}
	log, err := hotlog.Open(a.fs, a.dir.PartitionPath(l.tp), a.logConfig(l.topic), b.opening,
		a.logDeps(l))
	if damaged(err) {
		return a.quarantine(ctx, l, archive, err)
	}
	if err != nil {
		return nil, err
	}
	if !doubtful && l.epoch > 0 && log.Rebuilt() {
		if b, err = a.beginningOf(ctx, l, archive); err != nil {
			return nil, errors.Join(err, log.Close())
		}
		doubtful = true
	}
	if doubtful && !b.fits(log) {
		return a.replaceLog(ctx, l, archive, log, b)
	}
	return log, nil
}

func (a *Agent) logDeps(l ledPartition) hotlog.Deps {
	return hotlog.Deps{
		Files: a.files, Budget: a.budget, Metrics: a.logMetrics, BootID: a.dir.BootID(),
		Logger: a.logger.With(slog.String("topic", l.topic.Name),
			slog.Int64("partition", int64(l.tp.Partition))),
		OnFailure: func(err error) { a.partitionFailed(l.tp, err) },
	}
}

// quarantine moves a log that cannot be gone on with away, where the bucket has something of the
// partition, and begins with that. Where it has nothing the partition stays offline: an operator may
// know a way to the records, this agent does not.
func (a *Agent) quarantine(
	ctx context.Context, l ledPartition, archive partition.Archive, cause error,
) (*hotlog.Log, error) {
	b, err := a.beginningOf(ctx, l, archive)
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	if b.empty() {
		return nil, fmt.Errorf("%w; nothing of it is in the bucket: restore %s from a backup, "+
			"or delete the topic", cause, a.dir.PartitionPath(l.tp))
	}
	b.loss = true
	to, err := a.dir.Quarantine(l.tp)
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	a.logger.Error("damaged log quarantined, records that were not sealed or saved are only there",
		"topic", l.topic.Name, "partition", l.tp.Partition, "sealed_end", b.head.SealedEnd(),
		"log_end_offset", b.end(), "object", to, "err", cause)
	return a.begin(ctx, l, b)
}

// replaceLog begins again with what the bucket has where the local log does not fit: the bucket is the
// truth (design, section 6). A log that reaches beyond it may hold records that nobody else has, which
// no longer have offsets: it is moved to quarantine, where an operator finds them.
func (a *Agent) replaceLog(
	ctx context.Context, l ledPartition, archive partition.Archive, log *hotlog.Log, b beginning,
) (*hotlog.Log, error) {
	if log.LogEndOffset() > b.end() {
		cause := fmt.Errorf("local log [%d,%d) has other leader epochs than the bucket has below %d",
			log.LocalLogStartOffset(), log.LogEndOffset(), b.end())
		if err := log.Close(); err != nil {
			return nil, errors.Join(cause, err)
		}
		return a.quarantine(ctx, l, archive, cause)
	}
	a.logger.Warn("local log is behind what the bucket has, going on from there", "topic",
		l.topic.Name, "partition", l.tp.Partition, "log_end_offset", log.LogEndOffset(),
		"sealed_end", b.head.SealedEnd(), "bucket_end", b.end())
	if b.saved == nil {
		if err := log.Reset(b.opening); err != nil {
			return nil, errors.Join(err, log.Close())
		}
		return log, nil
	}
	if err := log.Close(); err != nil {
		return nil, err
	}
	return a.begin(ctx, l, b)
}
