package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/readpath"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/replay"
)

// source is the partition's two tiers as the read path sees them.
func (p *Partition) source() readpath.Source {
	return readpath.Source{Hot: p.log, Manifest: p.archive.PartitionManifest}
}

// Fetch reads whole batches from the one that contains r.From; see api.Partition.
func (p *Partition) Fetch(ctx context.Context, r api.FetchRange) (api.FetchData, error) {
	src := p.source()
	if p.reads.IsCold(src, r.From) && !r.HotOnly {
		if err := p.loadArchive(ctx); err != nil {
			return api.FetchData{}, meaning(err)
		}
	}
	if start := p.log.LogStartOffset(); r.From < start {
		return api.FetchData{}, fmt.Errorf("%w: offset %d, the log starts at %d",
			api.ErrOffsetOutOfRange, r.From, start)
	}
	req := readpath.Request{
		From: r.From, Until: r.Until, BytesMax: r.BytesMax, MinOne: r.MinOne,
	}
	var data readpath.Data
	var err error
	if r.HotOnly {
		data, err = p.reads.FetchHot(src, req)
	} else {
		data, err = p.reads.Fetch(ctx, src, req)
	}
	if errors.Is(err, hotlog.ErrBelowLocalStart) {
		return api.FetchData{}, fmt.Errorf("%w: offset %d", api.ErrCold, r.From)
	}
	if err != nil {
		return api.FetchData{}, meaning(err)
	}
	out := api.FetchData{Records: data.Records, Release: data.Release}
	if r.Aborted {
		aborted := data.Aborted
		if !data.Cold {
			aborted = p.log.AbortedIn(kafka.OffsetRange{Base: r.From, Next: data.Next})
		}
		out.Aborted = abortedTxns(aborted)
	}
	return out, nil
}

func abortedTxns(in []segment.AbortedTxn) []api.AbortedTxn {
	out := make([]api.AbortedTxn, 0, len(in))
	for _, a := range in {
		out = append(out, api.AbortedTxn{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	return out
}

// ListOffset answers the special timestamps that need more than Offsets, and searches by time across
// both tiers; see api.Partition.
func (p *Partition) ListOffset(
	ctx context.Context, ts kafka.Timestamp, bound kafka.Offset,
) (api.OffsetAt, error) {
	switch ts {
	case api.Earliest:
		return p.at(p.log.LogStartOffset()), nil
	case api.EarliestLocal:
		return p.at(max(p.log.LocalLogStartOffset(), p.log.LogStartOffset())), nil
	case api.LatestTiered, api.EarliestPendingUpload:
		return p.tieredOffset(ctx, ts)
	case api.MaxTimestamp:
		return p.maxTimestamp(ctx, bound)
	}
	if err := p.loadArchive(ctx); err != nil {
		return api.OffsetAt{}, meaning(err)
	}
	found, ok, err := p.reads.OffsetForTime(ctx, p.source(), ts, bound)
	if err != nil {
		return api.OffsetAt{}, meaning(err)
	}
	if !ok {
		return nowhere(), nil
	}
	at := p.at(found.Offset)
	at.Timestamp = found.Timestamp
	return at, nil
}

func nowhere() api.OffsetAt {
	return api.OffsetAt{
		Offset: kafka.NoOffset, Timestamp: kafka.NoTimestamp, LeaderEpoch: kafka.NoLeaderEpoch,
	}
}

// at gives an offset with the epoch that its record has, or will have.
func (p *Partition) at(o kafka.Offset) api.OffsetAt {
	at := api.OffsetAt{Offset: o, Timestamp: kafka.NoTimestamp, LeaderEpoch: kafka.NoLeaderEpoch}
	for _, e := range p.log.Epochs() {
		if e.StartOffset <= o {
			at.LeaderEpoch = e.Epoch
		}
	}
	return at
}

// tieredOffset answers where the archive ends: its last offset (KIP-1005), or the first one that is not
// in it yet (KIP-1023). A topic that is not tiered has no such offset.
func (p *Partition) tieredOffset(
	ctx context.Context, ts kafka.Timestamp,
) (api.OffsetAt, error) {
	if err := p.loadArchive(ctx); err != nil {
		return api.OffsetAt{}, meaning(err)
	}
	end := p.archive.SealedEnd()
	if !p.Settings().RemoteStorage {
		return nowhere(), nil
	}
	if ts == api.EarliestPendingUpload {
		return p.at(max(end, p.log.LogStartOffset())), nil
	}
	if end == 0 {
		return nowhere(), nil
	}
	return p.at(end - 1), nil
}

// maxTimestamp finds the record with the largest timestamp (KIP-734), the first of equals.
func (p *Partition) maxTimestamp(
	ctx context.Context, bound kafka.Offset,
) (api.OffsetAt, error) {
	offset, ts, err := p.log.MaxTimestamp()
	if err != nil {
		return api.OffsetAt{}, meaning(err)
	}
	if err := p.loadArchive(ctx); err != nil {
		return api.OffsetAt{}, meaning(err)
	}
	sealed, there, err := p.archive.MaxTimestamp(ctx)
	if err != nil {
		return api.OffsetAt{}, meaning(err)
	}
	low, high := ts, ts
	if offset < p.log.LogStartOffset() { // of a record that a local segment still holds
		offset, low = kafka.NoOffset, kafka.NoTimestamp
	}
	if there && sealed.BaseOffset < p.log.LocalLogStartOffset() {
		high = max(high, sealed.MaxTimestamp)
	}
	if offset < 0 || high > low || there && sealed.MaxTimestamp == ts {
		found, ok, err := p.largestTimestamp(ctx, low, high, bound)
		if err != nil {
			return api.OffsetAt{}, meaning(err)
		}
		if ok {
			offset, ts = found.Offset, found.Timestamp
		}
	}
	if offset < 0 || offset >= bound {
		return nowhere(), nil
	}
	at := p.at(offset)
	at.Timestamp = ts
	return at, nil
}

// largestTimestamp finds the first record with the largest timestamp in [low, high]. Usually that is
// high; only where its record lies below the log start, in a segment that reaches above it, the time
// is halved until it is found.
func (p *Partition) largestTimestamp(
	ctx context.Context, low, high kafka.Timestamp, bound kafka.Offset,
) (replay.TimeAnswer, bool, error) {
	var best replay.TimeAnswer
	there := false
	for at := high; low <= high; at = low + (high-low)/2 {
		found, ok, err := p.reads.OffsetForTime(ctx, p.source(), max(at, 0), bound)
		switch {
		case err != nil:
			return best, false, err
		case ok && found.Timestamp >= at:
			best, there = found, true
			low = found.Timestamp + 1
		default:
			high = at - 1
		}
	}
	return best, there, nil
}

// loadArchive reads the manifest's head unless that was done, and follows its log start offset.
func (p *Partition) loadArchive(ctx context.Context) error {
	head, err := p.archive.EnsureLoaded(ctx)
	if err != nil {
		return fmt.Errorf("load manifest of %s: %w", p.tp, err)
	}
	if head.LogStartOffset > p.log.LogStartOffset() {
		return p.TakeLogStart(head.LogStartOffset)
	}
	return nil
}

// LoadArchive reads the manifest's head unless that was done, so that tiering can begin.
func (p *Partition) LoadArchive(ctx context.Context) error {
	if err := p.loadArchive(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return meaning(err)
	}
	return ctx.Err()
}
