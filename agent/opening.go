package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
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
// not hold the newest records, the manifest says where the log begins.
func (a *Agent) openPartition(
	ctx context.Context, l ledPartition,
) (*partition.Partition, error) {
	archive := partition.NewArchive(a.catalog, l.tp)
	logger := a.logger.With(slog.String("topic", l.topic.Name),
		slog.Int64("partition", int64(l.tp.Partition)))
	log, err := a.openLog(ctx, l, archive, logger)
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

// openLog opens what the disk has of a partition and holds it against the manifest where the disk
// may have less, or other, than was committed: also a log without a checkpoint, which may have been
// killed before its first append was whole and would begin at 0. A topic made by this run has
// nothing sealed.
func (a *Agent) openLog(
	ctx context.Context, l ledPartition, archive partition.Archive, logger *slog.Logger,
) (*hotlog.Log, error) {
	known, err := hotlog.HasCheckpoint(a.fs, a.dir.PartitionPath(l.tp))
	if err != nil {
		return nil, err
	}
	var opening hotlog.Opening
	doubtful := l.epoch > 0 && (a.doubt.stale || !known)
	if doubtful {
		if opening, err = a.openingOf(ctx, l, archive); err != nil {
			return nil, err
		}
	}
	log, err := a.openHotLog(l, opening, logger)
	if damaged(err) {
		if opening, err = a.quarantine(ctx, l, archive, err); err != nil {
			return nil, err
		}
		return a.openHotLog(l, opening, logger)
	}
	if err != nil {
		return nil, err
	}
	if !doubtful && l.epoch > 0 && log.Rebuilt() {
		if opening, err = a.openingOf(ctx, l, archive); err != nil {
			return nil, errors.Join(err, log.Close())
		}
		doubtful = true
	}
	if doubtful && !fitsSealed(log, archive) {
		return a.replaceLog(ctx, l, archive, log, opening)
	}
	return log, nil
}

func (a *Agent) openHotLog(
	l ledPartition, opening hotlog.Opening, logger *slog.Logger,
) (*hotlog.Log, error) {
	return hotlog.Open(a.fs, a.dir.PartitionPath(l.tp), a.logConfig(l.topic), opening, hotlog.Deps{
		Files: a.files, Budget: a.budget, Logger: logger, Metrics: a.logMetrics,
		BootID:    a.dir.BootID(),
		OnFailure: func(err error) { a.partitionFailed(l.tp, err) },
	})
}

// quarantine moves a damaged log away, where the bucket has something of the partition to go on
// from, and gives where that is. Where it has nothing the partition stays offline: an operator may
// know a way to the records, this agent does not.
func (a *Agent) quarantine(
	ctx context.Context, l ledPartition, archive partition.Archive, cause error,
) (hotlog.Opening, error) {
	opening, err := a.openingOf(ctx, l, archive)
	if err != nil {
		return opening, errors.Join(cause, err)
	}
	if head, _ := archive.Head(); head.SealedEnd() == 0 {
		return opening, fmt.Errorf("%w; nothing of it is sealed: restore %s from a backup, "+
			"or delete the topic", cause, a.dir.PartitionPath(l.tp))
	}
	to, err := a.dir.Quarantine(l.tp)
	if err != nil {
		return opening, errors.Join(cause, err)
	}
	a.logger.Error("damaged log quarantined, records that were not sealed are only there",
		"topic", l.topic.Name, "partition", l.tp.Partition, "sealed_end", opening.StartOffset,
		"object", to, "err", cause)
	return opening, nil
}

// openingOf tells where a log begins whose disk is empty: at the sealed end, with the producer state
// that was sealed there.
func (a *Agent) openingOf(
	ctx context.Context, l ledPartition, archive partition.Archive,
) (hotlog.Opening, error) {
	head, err := archive.Load(ctx)
	if err == nil && a.doubt.fence {
		head, err = archive.Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
			return h.Fence(l.epoch)
		})
	}
	if err != nil {
		return hotlog.Opening{}, fmt.Errorf("load manifest: %w", err)
	}
	o := hotlog.Opening{
		StartOffset: head.NextBase(), Epochs: head.Epochs, LogStartOffset: head.LogStartOffset,
	}
	if o.Producers, err = a.sealedProducers(ctx, archive, head); err != nil {
		return hotlog.Opening{}, err
	}
	return o, nil
}

// sealedProducers reads the producer state as of the sealed end from the newest segment's footer, be
// its records expired or not. It is lost only with a newest segment that was swept.
func (a *Agent) sealedProducers(
	ctx context.Context, archive partition.Archive, head manifest.Head,
) ([]segment.ProducerState, error) {
	var entry manifest.Entry
	if n := len(head.Tail); n > 0 {
		entry = head.Tail[n-1]
	} else {
		found, ok, err := archive.Find(ctx, head.SealedEnd()-1)
		if err != nil {
			return nil, fmt.Errorf("find the newest sealed segment: %w", err)
		}
		if !ok {
			return nil, nil
		}
		entry = found
	}
	object := cache.Object{Key: entry.Key(archive.TP()), Size: entry.Bytes}
	footer, err := a.footers.Get(ctx, object, entry.FooterBytes)
	if errors.Is(err, objstore.ErrNotFound) && entry.NextOffset <= head.LogStartOffset {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest sealed segment's producer state: %w", err)
	}
	return footer.Producers(), nil
}

// fitsSealed reports whether a local log goes on from what is sealed: it is not behind it and has the
// same leader epochs below the sealed end.
func fitsSealed(log *hotlog.Log, archive partition.Archive) bool {
	head, _ := archive.Head()
	sealed := head.SealedEnd()
	return sealed == 0 || log.LogEndOffset() >= sealed && sameEpochs(log, head)
}

// replaceLog begins again at the sealed end where the local log does not fit: the bucket is the truth
// (design, section 6). A log that reaches beyond the sealed end may hold records that nobody else
// has, which no longer have offsets: it is moved to quarantine, where an operator finds them.
func (a *Agent) replaceLog(
	ctx context.Context, l ledPartition, archive partition.Archive, log *hotlog.Log,
	opening hotlog.Opening,
) (*hotlog.Log, error) {
	logger := a.logger.With("topic", l.topic.Name, "partition", l.tp.Partition)
	if log.LogEndOffset() <= opening.StartOffset {
		logger.Warn("local log is behind what is sealed, starting again at the sealed end",
			"log_end_offset", log.LogEndOffset(), "sealed_end", opening.StartOffset)
		if err := log.Reset(opening); err != nil {
			return nil, errors.Join(err, log.Close())
		}
		return log, nil
	}
	cause := fmt.Errorf("local log [%d,%d) has other leader epochs than what is sealed below %d",
		log.LocalLogStartOffset(), log.LogEndOffset(), opening.StartOffset)
	if err := log.Close(); err != nil {
		return nil, errors.Join(cause, err)
	}
	opening, err := a.quarantine(ctx, l, archive, cause)
	if err != nil {
		return nil, err
	}
	return a.openHotLog(l, opening, logger)
}

// sameEpochs holds the epochs of the local log against those of the sealed part, where both are.
func sameEpochs(log *hotlog.Log, head manifest.Head) bool {
	both := kafka.OffsetRange{
		Base: max(log.LocalLogStartOffset(), head.LogStartOffset), Next: head.SealedEnd(),
	}
	if both.Base >= both.Next {
		return true
	}
	return slices.Equal(epochsIn(log.Epochs(), both), epochsIn(head.Epochs, both))
}

// epochsIn gives the epochs of a range, the first beginning with it.
func epochsIn(all []kafka.EpochStart, r kafka.OffsetRange) []kafka.EpochStart {
	var in []kafka.EpochStart
	for i, e := range all {
		if e.StartOffset >= r.Next || i+1 < len(all) && all[i+1].StartOffset <= r.Base {
			continue
		}
		e.StartOffset = max(e.StartOffset, r.Base)
		in = append(in, e)
	}
	return in
}
