package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/readpath"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// Partition is one replica that this agent leads. Make it with New, end it with Close.
type Partition struct {
	tp    kafka.TopicPartition
	topic string
	epoch kafka.LeaderEpoch

	log      *hotlog.Log
	archive  Archive
	reads    *readpath.Reader
	logger   *slog.Logger
	settings atomic.Pointer[settings.Topic]

	committed watermark
	appended  growth
}

var _ api.Partition = (*Partition)(nil)

// Parts are what a Partition is made of. All are required.
type Parts struct {
	TopicPartition kafka.TopicPartition
	Topic          string // name
	LeaderEpoch    kafka.LeaderEpoch
	Settings       settings.Topic
	Log            *hotlog.Log
	Archive        Archive
	Reads          *readpath.Reader
	Logger         *slog.Logger
}

// New takes over an open log for leading in p.LeaderEpoch. Everything in the log is committed: this
// replica is the whole ISR. Where acks wait for a flush it is flushed first: a crash may have left
// records that were not, and a producer's retry would be answered from them.
func New(p Parts) (*Partition, error) {
	if p.Settings.FlushMessages == 1 {
		if err := p.Log.Sync(context.Background()); err != nil {
			return nil, fmt.Errorf("flush %s before leading it: %w", p.TopicPartition, err)
		}
	}
	if err := p.Log.AssignEpoch(p.LeaderEpoch); err != nil {
		return nil, fmt.Errorf("lead %s in epoch %d: %w", p.TopicPartition, p.LeaderEpoch, err)
	}
	pt := &Partition{
		tp: p.TopicPartition, topic: p.Topic, epoch: p.LeaderEpoch,
		log: p.Log, archive: p.Archive, reads: p.Reads, logger: p.Logger,
	}
	pt.settings.Store(&p.Settings)
	pt.committed.offset.Store(int64(p.Log.LogEndOffset()))
	return pt, nil
}

// TopicPartition names the partition.
func (p *Partition) TopicPartition() kafka.TopicPartition { return p.tp }

// Topic is the topic's name.
func (p *Partition) Topic() string { return p.topic }

// LeaderEpoch is the epoch in which this replica leads.
func (p *Partition) LeaderEpoch() kafka.LeaderEpoch { return p.epoch }

// LocalBytes implements api.Partition.
func (p *Partition) LocalBytes() int64 { return p.log.SizeBytes() }

// Settings are the topic's effective settings now.
func (p *Partition) Settings() settings.Topic { return *p.settings.Load() }

// SetSettings puts changed settings into force.
func (p *Partition) SetSettings(t settings.Topic, c hotlog.Config) error {
	if err := p.log.SetConfig(c); err != nil {
		return fmt.Errorf("settings of %s: %w", p.tp, err)
	}
	p.settings.Store(&t)
	return nil
}

// Log is the hot log, for tiering and for reads.
func (p *Partition) Log() *hotlog.Log { return p.log }

// Append appends one validated batch; see api.Partition.
func (p *Partition) Append(records []byte, o api.AppendOptions) (api.Appended, error) {
	size := len(records)
	got, err := p.log.Append(records, p.epoch, hotlog.AppendOptions{
		AppendTime: kafka.NoTimestamp, Coordinator: o.Coordinator,
		Verified: o.Verified, Guard: hotlog.Guard(o.Guard),
		TransactionVersion: o.TransactionVersion,
	})
	if err != nil {
		return api.Appended{}, meaning(err)
	}
	if !got.Duplicate { // a duplicate is committed with its first copy
		p.appended.grow(got.NextOffset, size)
		p.commit(got.NextOffset)
	}
	return api.Appended{
		BaseOffset: got.BaseOffset, NextOffset: got.NextOffset, LogStartOffset: got.LogStartOffset,
		AppendTime: o.AppendTime, Duplicate: got.Duplicate, MustFlush: got.MustFlush,
	}, nil
}

// commit moves the high watermark to the end of an append: at once, or after the flush where this or
// an earlier append has to be flushed first, so that no append commits another one that waits.
func (p *Partition) commit(next kafka.Offset) {
	if p.log.FlushedOffset() >= p.log.FlushDueOffset() {
		p.committed.advance(next)
		return
	}
	p.log.OnFlushed(next, func(err error) {
		if err != nil {
			p.Fail(err)
			return
		}
		p.committed.advance(next)
	})
}

// Fail ends every wait for a commit: the log takes no more appends.
func (p *Partition) Fail(err error) {
	p.logger.Error("partition is offline until the agent restarts", "err", err)
	p.committed.fail(meaning(err))
}

// OnCommitted calls fn when the high watermark is at or above next; see api.Partition.
func (p *Partition) OnCommitted(next kafka.Offset, fn func(error)) { p.committed.wait(next, fn) }

// Subscribe calls fn after each move of the high watermark; see api.Partition.
func (p *Partition) Subscribe(fn func()) (cancel func()) { return p.committed.subscribe(fn) }

// HighWatermark is exclusive.
func (p *Partition) HighWatermark() kafka.Offset { return p.committed.load() }

// LastStableOffset is exclusive and at most the high watermark.
func (p *Partition) LastStableOffset() kafka.Offset {
	return p.log.StableOffset(p.committed.load())
}

// Offsets is a snapshot of the log's bounds. They are read from the lowest to the highest, so that
// with appends going on none is above a later one.
func (p *Partition) Offsets() api.Offsets {
	start := p.log.LogStartOffset()
	local := max(p.log.LocalLogStartOffset(), start)
	sealed := p.archive.SealedEnd()
	committed := p.committed.load()
	return api.Offsets{
		LogStart: start, LocalLogStart: local, SealedEnd: sealed,
		LastStable: p.log.StableOffset(committed), HighWatermark: committed,
		LogEnd: p.log.LogEndOffset(),
	}
}

// BytesBetween estimates the bytes of [from, until); see api.Partition. Newest appends are known;
// before them it counts the average over what the local disk holds.
func (p *Partition) BytesBetween(from, until kafka.Offset, limit int) int {
	if until <= from {
		return 0
	}
	if known, ok := p.appended.between(from, until); ok {
		return int(min(max(known, 1), int64(limit)))
	}
	local := p.log.LocalLogStartOffset()
	held := p.log.LogEndOffset() - local
	if from < local || held <= 0 {
		return limit
	}
	average := max(p.log.SizeBytes()/int64(held), 1)
	return int(min(int64(until-from)*average, int64(limit)))
}

// EpochEnd answers KIP-279 over both tiers: the hot log keeps the epochs of sealed offsets too.
func (p *Partition) EpochEnd(_ context.Context, epoch kafka.LeaderEpoch) (api.EpochEnd, error) {
	if epoch == p.epoch {
		return api.EpochEnd{Epoch: epoch, End: p.log.LogEndOffset()}, nil
	}
	known, end := p.log.EpochEnd(epoch)
	return api.EpochEnd{Epoch: known, End: end}, nil
}

// DeleteRecords moves the log start offset, in the manifest first; see api.Partition.
func (p *Partition) DeleteRecords(
	ctx context.Context, before kafka.Offset,
) (kafka.Offset, error) {
	committed := p.committed.load()
	if before == kafka.NoOffset {
		before = committed
	}
	if before < 0 || before > committed {
		return 0, fmt.Errorf("%w: delete before %d, the high watermark is %d",
			api.ErrOffsetOutOfRange, before, committed)
	}
	if before <= p.log.LogStartOffset() {
		return p.log.LogStartOffset(), nil
	}
	if err := p.archive.MoveLogStart(ctx, before, p.epoch); err != nil {
		return 0, meaning(fmt.Errorf("delete records of %s before %d: %w", p.tp, before, err))
	}
	if err := p.TakeLogStart(before); err != nil {
		return 0, err
	}
	// Written down before it is answered: a start that cannot read the manifest yet has to know.
	if err := p.log.Checkpoint(); err != nil {
		p.logger.Warn("log start offset not written to the local disk", "err", err)
	}
	return p.log.LogStartOffset(), nil
}

// TakeLogStart puts a log start offset into force that the manifest has: segments wholly below it
// leave the local disk.
func (p *Partition) TakeLogStart(start kafka.Offset) error {
	if err := p.log.SetLogStartOffset(start); err != nil {
		return meaning(err)
	}
	_, _, err := p.log.Release(start)
	return meaning(err)
}

// ReleaseVerified drops the oldest rolled segments that are verified in the bucket (V6) until about
// that many bytes are free, whatever local retention says.
func (p *Partition) ReleaseVerified(bytes int64) error {
	verified, below := p.VerifiedEnd(), kafka.Offset(0)
	for _, r := range p.log.Rolled() {
		if r.NextOffset > verified || bytes <= 0 {
			break
		}
		below, bytes = r.NextOffset, bytes-r.Bytes
	}
	if below == 0 {
		return nil
	}
	_, _, err := p.log.Release(below)
	return meaning(err)
}

// RollToSeal closes the active segment, if it holds records and the topic is sealed at all.
func (p *Partition) RollToSeal() (bool, error) {
	if st := p.Settings(); !st.Seals() {
		return false, nil
	}
	rolled, err := p.log.Roll()
	return rolled, meaning(err)
}

// Close flushes the log and ends every wait. The log's files stay.
func (p *Partition) Close() error {
	p.committed.fail(fmt.Errorf("%w: partition closed", api.ErrNotLeader))
	return p.log.Close()
}

// Remove ends every wait and removes the log's files: the topic is deleted.
func (p *Partition) Remove() error {
	p.committed.fail(fmt.Errorf("%w: topic deleted", api.ErrNotLeader))
	if err := p.log.RemoveDir(); err != nil && !errors.Is(err, hotlog.ErrClosed) {
		return fmt.Errorf("remove log of %s: %w", p.tp, err)
	}
	return nil
}

// VerifiedEnd is the exclusive end of what is in the bucket for sure, by the newest head known.
func (p *Partition) VerifiedEnd() kafka.Offset {
	head, _ := p.archive.Head()
	return head.VerifiedEnd
}
