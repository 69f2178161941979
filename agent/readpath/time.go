package readpath

import (
	"context"
	"fmt"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/tiering/replay"
)

// OffsetForTime finds the first record of either tier below bound whose timestamp is ts or later,
// whatever the order of timestamps. Epoch is kafka.NoLeaderEpoch where the hot log answered: it
// knows its epochs. False when there is none. The bucket is asked only for what lies below the
// local log start offset; that waits for it.
func (r *Reader) OffsetForTime(
	ctx context.Context, src Source, ts kafka.Timestamp, bound kafka.Offset,
) (replay.TimeAnswer, bool, error) {
	for range seamTriesMax {
		local := src.Hot.LocalLogStartOffset()
		if src.Hot.LogStartOffset() < local {
			within := kafka.OffsetRange{
				Base: src.Hot.LogStartOffset(), Next: min(local, bound),
			}
			a, ok, err := r.parts.Replay.OffsetForTime(ctx, src.Manifest, ts, within)
			if err != nil {
				return a, false, fmt.Errorf("find time %d: %w", ts, r.classify(src, err))
			}
			if ok {
				return a, true, nil
			}
		}
		offset, at, ok, err := src.Hot.OffsetForTime(ts)
		if err != nil {
			return replay.TimeAnswer{}, false, err
		}
		if src.Hot.LocalLogStartOffset() != local { // released meanwhile: look at the bucket again
			continue
		}
		if !ok || offset >= bound {
			return replay.TimeAnswer{}, false, nil
		}
		return replay.TimeAnswer{Offset: offset, Timestamp: at, Epoch: kafka.NoLeaderEpoch}, true, nil
	}
	return replay.TimeAnswer{}, false, fmt.Errorf(
		"find time %d in %s: local log start offset keeps moving", ts, src.Manifest.TP())
}
