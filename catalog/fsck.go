package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// ProblemsMax bounds the problems that a report names; more are only counted.
const ProblemsMax = 1000

// FsckOptions say how to check.
type FsckOptions struct {
	// Grace is that of the sweep, to tell pending from garbage. Default 1 h.
	Grace time.Duration
	// Deep asks the store for every segment's size and checksum, one HEAD for each.
	Deep bool
	// Visit, if not nil, is called with every object.
	Visit func(Finding)
	// Now is the time by the store's clock; zero: the newest LastModified in the bucket, so that fsck
	// writes nothing.
	Now time.Time
}

// Count is a number of objects and their bytes.
type Count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Problem is something that is not as it must be.
type Problem struct {
	Key  string `json:"key"`
	What string `json:"what"`
}

// Report is what a check found.
type Report struct {
	ClusterID  string          `json:"cluster_id"`
	Version    int64           `json:"version"`
	Keys       map[Class]Count `json:"keys"`
	Topics     int             `json:"topics"`
	Partitions int             `json:"partitions"`
	// Segments and Records count what is live.
	Segments int64 `json:"segments"`
	Records  int64 `json:"records"`
	// Checkpoints counts partitions that have one.
	Checkpoints int64 `json:"checkpoints"`
	// Problems are named up to ProblemsMax and counted in full.
	Problems     []Problem `json:"problems"`
	ProblemCount int64     `json:"problem_count"`
}

// OK says that nothing is wrong; there may be garbage.
func (r *Report) OK() bool { return r.ProblemCount == 0 }

// Clean says that nothing is wrong and there is no garbage.
func (r *Report) Clean() bool { return r.OK() && r.Keys[Garbage].Objects == 0 }

func (r *Report) problem(key, what string, args ...any) {
	r.ProblemCount++
	if len(r.Problems) < ProblemsMax {
		r.Problems = append(r.Problems, Problem{Key: key, What: fmt.Sprintf(what, args...)})
	}
}

// Fsck lists the whole bucket and holds it against the catalog: every key is live, pending, garbage
// or foreign; every live segment is there with its size (Deep: and checksum); manifests are dense
// from the log start offset to the sealed end; pages fit their references; checkpoints are there and
// are found from their manifests. It only reads. Memory is bounded by the number of partitions, not
// of objects.
//
// On a bucket in use it proves the same: objects are listed before heads are read, so what is
// written meanwhile shows as pending at worst.
func Fsck(ctx context.Context, store objstore.Store, o FsckOptions) (*Report, error) {
	if o.Grace <= 0 {
		o.Grace = time.Hour
	}
	reader, err := OpenReader(ctx, store)
	if err != nil {
		return nil, err
	}
	if o.Now.IsZero() {
		if o.Now, err = newest(ctx, store); err != nil {
			return nil, fmt.Errorf("fsck: %w", err)
		}
	}
	f := &fsck{
		store: store, opts: o, reader: reader, census: NewCensus(reader, o.Now, o.Grace),
		report: &Report{Keys: map[Class]Count{}}, seen: map[kafka.TopicPartition]int64{},
		seenObjects: map[checkpoint.Ref]int{},
	}
	if err := EachObject(ctx, store, "", f.page); err != nil {
		return nil, fmt.Errorf("fsck: %w", err)
	}
	if err := f.topics(ctx); err != nil {
		return nil, fmt.Errorf("fsck: %w", err)
	}
	if err := f.ledgers(ctx); err != nil {
		return nil, fmt.Errorf("fsck: %w", err)
	}
	return f.report, nil
}

// EachObject lists all keys with the prefix, page by page; only one page is held.
func EachObject(
	ctx context.Context, s objstore.Store, prefix string,
	visit func(context.Context, []objstore.Info) error,
) error {
	after := ""
	for {
		page, err := s.List(ctx, prefix, after, objstore.ListLimitMax)
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if err := visit(ctx, page.Objects); err != nil {
			return err
		}
		if !page.More || len(page.Objects) == 0 {
			return nil
		}
		after = page.Objects[len(page.Objects)-1].Key
	}
}

// newest is the time of the youngest object among the heads, the store's clock to within what was
// written last. Grace times judged by it can only come out longer.
func newest(ctx context.Context, s objstore.Store) (time.Time, error) {
	info, err := s.Head(ctx, cluster.HeadKey)
	if err != nil {
		return time.Time{}, err
	}
	at := info.LastModified
	younger := func(_ context.Context, os []objstore.Info) error {
		for _, o := range os {
			if o.LastModified.After(at) {
				at = o.LastModified
			}
		}
		return nil
	}
	return at, EachObject(ctx, s, manifest.ManifestsPrefix, younger)
}

type fsck struct {
	store  objstore.Store
	opts   FsckOptions
	reader *Reader
	census *Census
	report *Report
	// seen counts the objects found of segments that manifests refer to.
	seen map[kafka.TopicPartition]int64
	// seenObjects counts the objects found that ledgers need.
	seenObjects map[checkpoint.Ref]int
}

func (f *fsck) page(ctx context.Context, objects []objstore.Info) error {
	f.census.Listed()
	for _, o := range objects {
		found, err := f.census.Class(ctx, o)
		if err != nil && !damaged(err) {
			return err
		}
		if err != nil {
			found.Class, found.Why, found.Problem = Pending, "its manifest is damaged", ""
		}
		n := f.report.Keys[found.Class]
		n.Objects++
		n.Bytes += o.Size
		f.report.Keys[found.Class] = n
		switch {
		case found.Class == Foreign:
			f.report.problem(o.Key, "%s", found.Why)
		case found.Problem != "":
			f.report.problem(o.Key, "%s", found.Problem)
		}
		if found.UID != "" && !found.Uncommitted && strings.HasPrefix(o.Key, manifest.SegmentsPrefix) {
			f.seen[found.TP]++
		}
		if found.Ledger != nil && found.Class == Live {
			f.seenObjects[*found.Ledger]++
		}
		if f.opts.Visit != nil {
			f.opts.Visit(found)
		}
	}
	return nil
}

func (f *fsck) topics(ctx context.Context) error {
	state := f.reader.State()
	f.report.ClusterID, f.report.Version = state.ClusterID, state.Version
	for _, t := range state.Topics() {
		f.report.Topics++
		for i, p := range t.Partitions {
			f.report.Partitions++
			tp := kafka.TopicPartition{Topic: t.ID, Partition: int32(i)}
			err := f.partition(ctx, tp, p)
			if damaged(err) {
				f.report.problem(manifest.HeadKey(tp), "%v", err)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fsck) partition(ctx context.Context, tp kafka.TopicPartition, p cluster.Partition) error {
	m := f.census.Manifest(tp)
	h, err := m.cached(ctx)
	if err != nil {
		return err
	}
	if h.FenceEpoch > p.LeaderEpoch+1 {
		// The cluster state at hand may simply be older than this head.
		if _, err := f.reader.Refresh(ctx); err != nil {
			return err
		}
		p, _ = f.reader.State().Partition(tp)
	}
	if h.FenceEpoch > p.LeaderEpoch+1 && (!h.Deleted || p.Assigned != nil) {
		f.report.problem(manifest.HeadKey(tp), "fenced by leader epoch %d, the cluster state knows %d: "+
			"one of the two was restored from an old copy", h.FenceEpoch, p.LeaderEpoch)
	}
	end, entries := kafka.NoOffset, int64(0)
	for e, err := range m.Unswept(ctx) {
		if err != nil {
			return err
		}
		if e.BaseOffset > max(end, h.LogStartOffset) || e.BaseOffset < end {
			f.report.problem(e.Key(tp), "offsets %s follow %d in the manifest", e.Range(), end)
		}
		end = e.NextOffset
		entries++
		if e.NextOffset > h.LogStartOffset {
			f.report.Segments++
			f.report.Records += e.Records
		}
	}
	if entries > 0 && end != h.SealedEnd() {
		f.report.problem(manifest.HeadKey(tp), "segments end at %d, the head says %d", end, h.SealedEnd())
	}
	if entries == 0 && h.LogStartOffset < h.SealedEnd() {
		f.report.problem(manifest.HeadKey(tp), "no segment for offsets [%d,%d)", h.LogStartOffset,
			h.SealedEnd())
	}
	if f.opts.Deep || f.seen[tp] < entries {
		return f.segments(ctx, m, h)
	}
	return nil
}

// segments asks the store for each segment, to name those that are missing or damaged.
func (f *fsck) segments(ctx context.Context, m *PartitionManifest, h manifest.Head) error {
	for e, err := range m.Entries(ctx, h.LogStartOffset) {
		if err != nil {
			return err
		}
		key := e.Key(m.TP())
		info, err := f.store.Head(ctx, key)
		switch {
		case errors.Is(err, objstore.ErrNotFound):
			f.report.problem(key, "missing; the manifest says offsets %s", e.Range())
		case err != nil:
			return err
		case f.opts.Deep && info.Size != e.Bytes:
			f.report.problem(key, "it has %d bytes, the manifest says %d", info.Size, e.Bytes)
		case f.opts.Deep && info.HasCRC32C && info.CRC32C != e.CRC32C:
			f.report.problem(key, "its checksum is %08x, the manifest says %08x", info.CRC32C, e.CRC32C)
		}
	}
	return nil
}
