package replay

import (
	"context"
	"iter"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
)

// Manifest is what replay asks of a partition's manifest; *catalog.PartitionManifest implements it.
type Manifest interface {
	// TP is the partition.
	TP() kafka.TopicPartition
	// Load reads the head again.
	Load(ctx context.Context) (manifest.Head, error)
	// Head is the newest head that was read; false when none was. It does not block.
	Head() (manifest.Head, bool)
	// Find gives the entry that holds an offset, or the first behind it where it lies in a hole that
	// compaction left; false outside of the log start offset and the sealed end.
	Find(ctx context.Context, o kafka.Offset) (manifest.Entry, bool, error)
	// FindTimeFrom gives the first entry that ends above from and holds a record at or after ts.
	FindTimeFrom(
		ctx context.Context, ts kafka.Timestamp, from kafka.Offset,
	) (manifest.Entry, bool, error)
	// Entries gives the entries from the one that holds from, or follows it, in offset order.
	Entries(ctx context.Context, from kafka.Offset) iter.Seq2[manifest.Entry, error]
}

var _ Manifest = (*catalog.PartitionManifest)(nil)

// headOf is the head in memory, loaded if there is none.
func headOf(ctx context.Context, m Manifest) (manifest.Head, error) {
	if h, ok := m.Head(); ok {
		return h, nil
	}
	return m.Load(ctx)
}
