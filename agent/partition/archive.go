package partition

import (
	"context"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
)

// Archive is the sealed part of a partition: its manifest, read when first needed.
type Archive struct {
	*catalog.PartitionManifest
	catalog *catalog.Catalog
}

// NewArchive gives the archive of tp without reading anything.
func NewArchive(c *catalog.Catalog, tp kafka.TopicPartition) Archive {
	return Archive{PartitionManifest: c.Partition(tp), catalog: c}
}

// EnsureLoaded gives the newest head known, reading it if there is none.
func (a Archive) EnsureLoaded(ctx context.Context) (manifest.Head, error) {
	if head, loaded := a.Head(); loaded {
		return head, nil
	}
	return a.Load(ctx)
}

// SealedEnd is the exclusive end of what the bucket holds by the newest head known; 0: nothing, or no
// head was read yet.
func (a Archive) SealedEnd() kafka.Offset {
	head, _ := a.Head()
	return head.SealedEnd()
}

// MoveLogStart commits a log start offset as the leader of epoch.
func (a Archive) MoveLogStart(
	ctx context.Context, to kafka.Offset, epoch kafka.LeaderEpoch,
) error {
	now, err := a.catalog.StoreNow(ctx)
	if err != nil {
		return err
	}
	_, err = a.Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		return h.MoveLogStart(to, epoch, now)
	})
	return err
}
