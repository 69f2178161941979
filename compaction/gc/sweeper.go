package gc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

const (
	// GraceDefault is for how long what was referred to is kept.
	GraceDefault = time.Hour
	// deletesMax bounds deletions at once.
	deletesMax = 16
)

// Lead is what the leader of a partition knows of its own uploads.
type Lead struct {
	// Epoch in which it leads.
	Epoch kafka.LeaderEpoch
	// UploadInFlight reports whether a segment of that uid is being uploaded or may yet be committed;
	// nil: none ever is.
	UploadInFlight func(uid string) bool
}

// Saver is what a running agent knows of the checkpoints that it saves.
type Saver struct {
	Incarnation int64
	// InFlight reports whether an object is being put or may yet be named by its ledger; nil: none ever
	// is.
	InFlight func(checkpoint.Ref, checkpoint.Object) bool
}

// Options say how to sweep.
type Options struct {
	// Grace is for how long what was once referred to is kept, by the store's clock: longer than any
	// reader works with one head. Default GraceDefault; negative means none, for tests.
	Grace time.Duration
	// Leads tells of partitions that this process leads; nil: it leads none.
	Leads func(kafka.TopicPartition) (Lead, bool)
	// Saves tells of agents whose checkpoints this process saves; nil: of none.
	Saves func(agent int32) (Saver, bool)
	// Stopped says that no agent of the cluster runs: see the package comment.
	Stopped bool
	// HeadsOnly leaves the listing out: only what heads say is replaced or expired is deleted, which
	// costs no request per partition without such objects.
	HeadsOnly bool
	// Visit, if not nil, is called before each deletion, from one goroutine at a time.
	Visit func(Deletion)
	// Logger and Metrics may be nil.
	Logger  *slog.Logger
	Metrics *Metrics
}

// Deletion is one object to delete and why.
type Deletion struct {
	Key   string `json:"key"`
	Bytes int64  `json:"bytes"`
	Why   string `json:"why"`
}

// Summary counts a sweep. With Plan, Deleted is what Run would delete.
type Summary struct {
	Listed  catalog.Count `json:"listed"`
	Deleted catalog.Count `json:"deleted"`
	// Pending are listed objects that a later sweep may delete.
	Pending catalog.Count `json:"pending"`
	// Fenced counts partitions that had to be fenced, Forgotten topics whose last object went.
	Fenced    int `json:"fenced"`
	Forgotten int `json:"forgotten"`
}

// Metrics counts sweeps.
type Metrics struct {
	objects prometheus.Counter
	bytes   prometheus.Counter
	runs    *prometheus.CounterVec
}

// NewMetrics registers the sweep's metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		objects: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_gc_deleted_objects_total", Help: "Objects that sweeps deleted.",
		}),
		bytes: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_gc_deleted_bytes_total", Help: "Bytes of the objects that sweeps deleted.",
		}),
		runs: f.NewCounterVec(prometheus.CounterOpts{
			Name: "varve_gc_runs_total", Help: "Sweeps by outcome.",
		}, []string{"outcome"}),
	}
}

// Sweeper sweeps one bucket. Its methods are called one at a time.
type Sweeper struct {
	cat  *catalog.Catalog
	opts Options
}

// New makes a sweeper over an open catalog.
func New(cat *catalog.Catalog, o Options) *Sweeper {
	if o.Grace == 0 {
		o.Grace = GraceDefault
	}
	o.Grace = max(0, o.Grace)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Leads == nil {
		o.Leads = func(kafka.TopicPartition) (Lead, bool) { return Lead{}, false }
	}
	if o.Saves == nil {
		o.Saves = func(int32) (Saver, bool) { return Saver{}, false }
	}
	if o.Visit == nil {
		o.Visit = func(Deletion) {}
	}
	return &Sweeper{cat: cat, opts: o}
}

// Plan finds what Run would delete and changes nothing but the probe object that tells the store's
// time.
func (s *Sweeper) Plan(ctx context.Context) (Summary, error) { return s.run(ctx, true) }

// Run sweeps. On an error some of it is done; the next run does the rest.
func (s *Sweeper) Run(ctx context.Context) (Summary, error) {
	sum, err := s.run(ctx, false)
	label := "ok"
	if err != nil {
		label = "error"
	}
	s.opts.Metrics.runs.WithLabelValues(label).Inc()
	return sum, err
}

// sweep is one run.
type sweep struct {
	*Sweeper
	dry    bool
	now    time.Time
	reader *catalog.Reader
	census *catalog.Census
	sum    Summary
}

func (s *Sweeper) run(ctx context.Context, dry bool) (Summary, error) {
	now, err := s.cat.StoreNow(ctx)
	if err != nil {
		return Summary{}, fmt.Errorf("sweep: %w", err)
	}
	if _, err := s.cat.Refresh(ctx); err != nil {
		return Summary{}, fmt.Errorf("sweep: %w", err)
	}
	r := s.cat.Reader()
	w := &sweep{
		Sweeper: s, dry: dry, now: now, reader: r,
		census: catalog.NewCensus(r, now, s.opts.Grace),
	}
	// A damaged partition must not keep the others from being swept.
	err = errors.Join(w.partitions(ctx), w.ledgers(ctx))
	if !s.opts.HeadsOnly && ctx.Err() == nil {
		err = errors.Join(err, w.bucket(ctx))
	}
	if err != nil {
		err = fmt.Errorf("sweep: %w", err)
	}
	return w.sum, err
}

// delete removes objects, several at once. What is absent counts too.
func (w *sweep) delete(ctx context.Context, ds []Deletion) error {
	for _, d := range ds {
		w.opts.Visit(d)
	}
	if !w.dry {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(deletesMax)
		for _, d := range ds {
			g.Go(func() error {
				if err := w.cat.Store().Delete(ctx, d.Key); err != nil {
					return fmt.Errorf("delete: %w", err)
				}
				w.opts.Metrics.objects.Inc()
				w.opts.Metrics.bytes.Add(float64(d.Bytes))
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	for _, d := range ds {
		w.sum.Deleted.Objects++
		w.sum.Deleted.Bytes += d.Bytes
	}
	return nil
}

// bucket lists everything and deletes what is garbage, then forgets topics of which nothing is
// left.
func (w *sweep) bucket(ctx context.Context) error {
	var due []cluster.DeletedTopic
	for _, d := range w.reader.State().DeletedTopics() {
		if !d.DeletedAt.Time().Add(w.opts.Grace).After(w.now) {
			due = append(due, d)
		}
	}
	if err := w.fenceDeleted(ctx, due); err != nil {
		return err
	}
	for _, prefix := range []string{
		checkpoint.Prefix, "cluster/", "manifests/", "segments/", "tables/", objstore.ProbePrefix,
	} {
		err := catalog.EachObject(ctx, w.cat.Store(), prefix, w.page)
		if err != nil {
			return err
		}
	}
	if w.dry {
		w.sum.Forgotten = len(due)
		return nil
	}
	for _, d := range due {
		if _, err := w.cat.Commit(ctx, cluster.ForgetTopic{ID: d.ID}); err != nil {
			return fmt.Errorf("forget topic %q: %w", d.Name, err)
		}
		w.sum.Forgotten++
		w.opts.Logger.Info("topic swept", "topic", d.Name)
		for i := range d.Partitions {
			w.cat.Forget(kafka.TopicPartition{Topic: d.ID, Partition: i})
		}
	}
	return nil
}
