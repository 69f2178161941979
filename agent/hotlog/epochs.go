package hotlog

import (
	"slices"
	"sort"

	"github.com/varve-log/varve/kafka"
)

// epochsMax bounds the history: beyond it the oldest entries below the log start are long gone in
// any log that still elects leaders, and the manifest keeps the sealed ones.
const epochsMax = 1 << 16

// epochHistory is which leader epoch wrote from which offset on, ascending in both. It is a pure
// value; Log guards it.
type epochHistory struct{ entries []kafka.EpochStart }

// latest epoch, or kafka.NoLeaderEpoch.
func (h *epochHistory) latest() kafka.LeaderEpoch {
	if len(h.entries) == 0 {
		return kafka.NoLeaderEpoch
	}
	return h.entries[len(h.entries)-1].Epoch
}

// assign notes that epoch begins at start. What contradicts it, an entry with as high an epoch or
// as high an offset, goes, as in Kafka's LeaderEpochFileCache. It reports whether anything changed.
func (h *epochHistory) assign(epoch kafka.LeaderEpoch, start kafka.Offset) bool {
	if epoch < 0 {
		return false
	}
	n := len(h.entries)
	if n > 0 && h.entries[n-1].Epoch == epoch && h.entries[n-1].StartOffset <= start {
		return false
	}
	for n > 0 && (h.entries[n-1].Epoch >= epoch || h.entries[n-1].StartOffset >= start) {
		n--
	}
	h.entries = append(h.entries[:n:n], kafka.EpochStart{Epoch: epoch, StartOffset: start})
	if len(h.entries) > epochsMax {
		h.entries = slices.Clone(h.entries[len(h.entries)-epochsMax:])
	}
	return true
}

// truncateEnd forgets epochs that begin at or above end.
func (h *epochHistory) truncateEnd(end kafka.Offset) {
	n := len(h.entries)
	for n > 0 && h.entries[n-1].StartOffset >= end {
		n--
	}
	h.entries = h.entries[:n:n]
}

// truncateStart forgets epochs that end at or below start; the one that start lies in stays and
// begins at start.
func (h *epochHistory) truncateStart(start kafka.Offset) {
	i := sort.Search(len(h.entries), func(i int) bool { return h.entries[i].StartOffset > start })
	if i == 0 {
		return
	}
	h.entries = slices.Clone(h.entries[i-1:])
	h.entries[0].StartOffset = max(h.entries[0].StartOffset, start)
}

// end answers OffsetForLeaderEpoch (KIP-101, KIP-279): the largest epoch at or below the one asked
// for and the offset where the next one begins, or logEnd for the latest. An epoch above the
// latest, or below the oldest known, is not known here: kafka.NoLeaderEpoch, kafka.NoOffset; Kafka
// answers an epoch below the oldest with that epoch itself and the oldest's start.
func (h *epochHistory) end(
	epoch kafka.LeaderEpoch, logEnd kafka.Offset,
) (kafka.LeaderEpoch, kafka.Offset) {
	n := len(h.entries)
	if epoch < 0 || n == 0 || epoch > h.entries[n-1].Epoch {
		return kafka.NoLeaderEpoch, kafka.NoOffset
	}
	if epoch == h.entries[n-1].Epoch {
		return epoch, logEnd
	}
	i := sort.Search(n, func(i int) bool { return h.entries[i].Epoch > epoch })
	if i == 0 {
		return epoch, h.entries[0].StartOffset
	}
	return h.entries[i-1].Epoch, h.entries[i].StartOffset
}
