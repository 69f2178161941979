package manifest

import (
	"slices"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/kafka"
)

// Bounds of a head's lists, beyond those of Limits.
const (
	// ExpiredMax bounds the marks of moved log starts; beyond it the newest two are merged, which only
	// delays deletion.
	ExpiredMax = 64
	// RetiredMax bounds the list of replaced pages. While it is full, for want of a sweep, spills
	// write small pages rather than replace one.
	RetiredMax = 256
	// EpochsMax bounds the epoch history; beyond it the oldest epochs are forgotten.
	EpochsMax = 1024
	// TailHardMax bounds the tail when verification does not get on.
	TailHardMax = 1024
)

// Expired is a mark: at that time the log start offset moved to Below.
type Expired struct {
	Below kafka.Offset `json:"below"`
	// At is by the store's clock.
	At kafka.Timestamp `json:"at"`
}

// Retired is a page that a later one replaced.
type Retired struct {
	UID         string            `json:"uid"`
	LeaderEpoch kafka.LeaderEpoch `json:"epoch"`
	// At is by the store's clock.
	At kafka.Timestamp `json:"at"`
}

// Head is the manifest of one partition but for what its pages hold. It is a value: edits return a
// new one and its slices are never changed in place.
type Head struct {
	Topic     kafka.TopicID `json:"topic"`
	Partition int32         `json:"partition"`
	// TopicName is the topic's name, for people who look into the bucket.
	TopicName string `json:"topic_name,omitempty"`
	// LogStartOffset is the first offset of the log on any tier. It may lie above SealedEnd.
	LogStartOffset kafka.Offset `json:"log_start"`
	// SealedEndOffset is the exclusive end of the sealed part; 0 when nothing was ever sealed.
	SealedEndOffset kafka.Offset `json:"sealed_end"`
	// VerifiedEnd is the exclusive end up to which objects were verified; V6.
	VerifiedEnd kafka.Offset `json:"verified_end"`
	// FenceEpoch is the lowest leader epoch that may still edit; -1 at first.
	FenceEpoch kafka.LeaderEpoch `json:"fence_epoch"`
	// Deleted says that the topic is gone.
	Deleted bool `json:"deleted,omitempty"`
	// Epochs is the history of leader epochs of the sealed records from the log start offset on,
	// ascending in epoch and offset.
	Epochs []kafka.EpochStart `json:"epochs,omitempty"`
	// SweptEnd: objects of entries that end at or below it are deleted.
	SweptEnd kafka.Offset `json:"swept_end"`
	// Expired are marks in ascending order that no sweep has finished.
	Expired []Expired `json:"expired,omitempty"`
	// Retired are replaced pages that no sweep has deleted.
	Retired []Retired `json:"retired,omitempty"`
	// Indexes, Pages and Tail hold all entries that end above SweptEnd, oldest first in this order.
	Indexes []PageRef `json:"indexes,omitempty"`
	Pages   []PageRef `json:"pages,omitempty"`
	Tail    []Entry   `json:"tail,omitempty"`
	// Checkpoint says in which ledger the checkpoint of a compacted log is; nil: it has none.
	Checkpoint *checkpoint.Ref `json:"checkpoint,omitempty"`
}

// New is the manifest of a partition of which nothing was sealed yet.
func New(tp kafka.TopicPartition, topicName string) Head {
	return Head{
		Topic: tp.Topic, Partition: tp.Partition, TopicName: topicName,
		FenceEpoch: kafka.NoLeaderEpoch,
	}
}

// TP names the partition.
func (h Head) TP() kafka.TopicPartition {
	return kafka.TopicPartition{Topic: h.Topic, Partition: h.Partition}
}

// SealedEnd is the exclusive end of what the bucket holds; 0 when nothing was ever sealed.
func (h Head) SealedEnd() kafka.Offset { return h.SealedEndOffset }

// NextBase is where the next segment must begin, unless SealedEnd is 0: then anywhere.
func (h Head) NextBase() kafka.Offset { return max(h.SealedEndOffset, h.LogStartOffset) }

// Segments counts the entries, expired ones that are not swept included.
func (h Head) Segments() int64 {
	n := int64(len(h.Tail))
	for _, r := range slices.Concat(h.Indexes, h.Pages) {
		n += r.Segments
	}
	return n
}

// EpochEnd answers OffsetForLeaderEpoch for the sealed part (KIP-279): the largest known epoch at
// or below epoch, and the offset where the next one starts, or SealedEnd. False when none is known.
func (h Head) EpochEnd(epoch kafka.LeaderEpoch) (kafka.LeaderEpoch, kafka.Offset, bool) {
	i := len(h.Epochs)
	for i > 0 && h.Epochs[i-1].Epoch > epoch {
		i--
	}
	if i == 0 {
		return kafka.NoLeaderEpoch, kafka.NoOffset, false
	}
	end := h.SealedEndOffset
	if i < len(h.Epochs) {
		end = h.Epochs[i].StartOffset
	}
	return h.Epochs[i-1].Epoch, end, true
}
