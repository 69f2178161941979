package catalog

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// Class is what an object in the bucket is to the catalog.
type Class string

// The classes. Every key has one.
const (
	// Live: the catalog refers to it.
	Live Class = "live"
	// Pending: not live, but it may yet be referred to, or its grace time runs.
	Pending Class = "pending"
	// Garbage: nothing refers to it and nothing ever will; a sweep may delete it.
	Garbage Class = "garbage"
	// Foreign: the key is none of the catalog's.
	Foreign Class = "foreign"
)

// Finding is one object with its class and the reason.
type Finding struct {
	Key   string `json:"key"`
	Bytes int64  `json:"bytes"`
	Class Class  `json:"class"`
	Why   string `json:"why"`
	// Problem, if set, says what is wrong with a live object.
	Problem string `json:"problem,omitempty"`
	// Uncommitted says that no manifest ever referred to it, so that its own epoch's leader may know
	// more than the bucket tells.
	Uncommitted bool `json:"uncommitted,omitempty"`
	// TP, LeaderEpoch and UID are those of a segment or manifest page.
	TP          kafka.TopicPartition `json:"-"`
	LeaderEpoch kafka.LeaderEpoch    `json:"-"`
	UID         string               `json:"-"`
	// Ledger and Object are those of a checkpoint's object; nil: it is none.
	Ledger *checkpoint.Ref   `json:"-"`
	Object checkpoint.Object `json:"-"`
}

// ProbeAgeMin is how old an object under objstore.ProbePrefix is when it is taken for left behind.
const ProbeAgeMin = time.Hour

// censusHeads bounds the manifests that a census keeps while the listing comes by their partitions.
const censusHeads = 4096

// Census classes keys of a listing by the catalog. Each key must have been listed before it is
// given: then what the heads, which are read afterwards and each at most once per census, do not
// refer to was not committed when it was listed. A head may be older than a later listing page:
// that can only make an object look pending, never garbage, since a segment or page below the fence
// epoch can never be committed after the head was read.
type Census struct {
	reader *Reader
	now    time.Time
	grace  time.Duration
	parts  map[kafka.TopicPartition]*list.Element
	order  *list.List // of *censusPart, newest in front
	// ledgers are those that were read, each at most once.
	ledgers map[checkpoint.Ref]checkpoint.Ledger
	// refreshed says that the cluster state was read after the newest listing page.
	refreshed bool
}

type censusPart struct {
	tp    kafka.TopicPartition
	m     *PartitionManifest
	pages map[string]bool // UIDs of live pages; nil until asked
}

// NewCensus begins a census. now is by the store's clock; grace is the time for which what was once
// referred to is kept.
func NewCensus(r *Reader, now time.Time, grace time.Duration) *Census {
	return &Census{
		reader: r, now: now, grace: grace, order: list.New(),
		parts:   map[kafka.TopicPartition]*list.Element{},
		ledgers: map[checkpoint.Ref]checkpoint.Ledger{},
	}
}

// Listed tells that another page was listed: the cluster state is read again if that page needs it.
func (c *Census) Listed() { c.refreshed = false }

// Manifest is the census's own view of a partition: loaded when first needed, not again.
func (c *Census) Manifest(tp kafka.TopicPartition) *PartitionManifest { return c.part(tp).m }

// Drop forgets the view of a partition, so that its head is read again.
func (c *Census) Drop(tp kafka.TopicPartition) {
	if e, ok := c.parts[tp]; ok {
		c.order.Remove(e)
		delete(c.parts, tp)
	}
}

func (c *Census) part(tp kafka.TopicPartition) *censusPart {
	if e, ok := c.parts[tp]; ok {
		c.order.MoveToFront(e)
		return e.Value.(*censusPart)
	}
	p := &censusPart{tp: tp, m: c.reader.Partition(tp)}
	c.parts[tp] = c.order.PushFront(p)
	if c.order.Len() > censusHeads {
		old := c.order.Remove(c.order.Back()).(*censusPart)
		delete(c.parts, old.tp)
	}
	return p
}

// Class finds out what the object of a listed key is.
func (c *Census) Class(ctx context.Context, o objstore.Info) (Finding, error) {
	f := Finding{Key: o.Key, Bytes: o.Size}
	top, _, _ := strings.Cut(o.Key, "/")
	switch top {
	case "segments":
		return c.segment(ctx, f, o)
	case "manifests":
		return c.manifest(ctx, f, o)
	case "checkpoints":
		return c.checkpoint(ctx, f, o)
	case "cluster":
		return c.cluster(ctx, f)
	case "tables":
		return c.table(ctx, f, o)
	case strings.TrimSuffix(objstore.ProbePrefix, "/"):
		if o.LastModified.Add(ProbeAgeMin).Before(c.now) {
			return f.is(Garbage, "left behind by a probe of the store"), nil
		}
		return f.is(Pending, "a probe of the store"), nil
	}
	return f.is(Foreign, "not a key of Varve"), nil
}

func (f Finding) is(class Class, why string, args ...any) Finding {
	f.Class, f.Why = class, fmt.Sprintf(why, args...)
	return f
}

// refresh reads the cluster head after the listing page at hand, once.
func (c *Census) refresh(ctx context.Context) error {
	if c.refreshed {
		return nil
	}
	_, err := c.reader.Refresh(ctx)
	c.refreshed = err == nil
	return err
}

// gone classes what belongs to a topic that does not live; ok is false for a live one.
func (c *Census) gone(
	ctx context.Context, f Finding, topic kafka.TopicID, o objstore.Info,
) (Finding, bool, error) {
	if _, ok := c.reader.State().TopicByID(topic); ok {
		return f, false, nil
	}
	if err := c.refresh(ctx); err != nil {
		return f, false, err
	}
	state := c.reader.State()
	if _, ok := state.TopicByID(topic); ok {
		return f, false, nil
	}
	since, what := o.LastModified, "no topic has its id"
	if d, ok := state.Deleted(topic); ok {
		since, what = d.DeletedAt.Time(), fmt.Sprintf("topic %q is deleted", d.Name)
	}
	if since.Add(c.grace).After(c.now) {
		return f.is(Pending, "%s, grace time runs", what), true, nil
	}
	return f.is(Garbage, "%s", what), true, nil
}

func (c *Census) segment(ctx context.Context, f Finding, o objstore.Info) (Finding, error) {
	n, ok := manifest.ParseSegmentKey(o.Key)
	if !ok {
		return f.is(Foreign, "not the name of a segment"), nil
	}
	f.TP, f.LeaderEpoch, f.UID = n.TP, n.LeaderEpoch, n.UID
	if f, gone, err := c.gone(ctx, f, n.TP.Topic, o); gone || err != nil {
		return f, err
	}
	m := c.part(n.TP).m
	e, held, err := m.Holds(ctx, n)
	if err != nil {
		return f, err
	}
	h, _ := m.Head()
	switch {
	case held && e.NextOffset <= h.SweptEnd:
		return f.is(Garbage, "expired and swept"), nil
	case held && e.NextOffset <= h.SweepableEnd(c.now, c.grace):
		return f.is(Garbage, "expired below %d", h.LogStartOffset), nil
	case held && e.NextOffset <= h.LogStartOffset:
		return f.is(Pending, "expired, grace time runs"), nil
	case held:
		f = f.is(Live, "offsets %s", e.Range())
		if o.Size != e.Bytes {
			f.Problem = fmt.Sprintf("it has %d bytes, the manifest says %d", o.Size, e.Bytes)
		}
		return f, nil
	}
	return f.uncommitted(h), nil
}

// uncommitted classes a segment or page that a head does not refer to.
func (f Finding) uncommitted(h manifest.Head) Finding {
	f.Uncommitted = true
	if f.LeaderEpoch < h.FenceEpoch {
		return f.is(Garbage, "never committed, leader epoch %d is fenced by %d",
			f.LeaderEpoch, h.FenceEpoch)
	}
	return f.is(Pending, "not committed, leader epoch %d may do so", f.LeaderEpoch)
}

func (c *Census) manifest(ctx context.Context, f Finding, o objstore.Info) (Finding, error) {
	tp, page, ok := manifest.ParseManifestKey(o.Key)
	if !ok {
		return f.is(Foreign, "not the name of a manifest head or page"), nil
	}
	f.TP = tp
	f, gone, err := c.gone(ctx, f, tp.Topic, o)
	if err != nil || gone {
		return f, err
	}
	if page == nil {
		t, _ := c.reader.State().TopicByID(tp.Topic)
		if int(tp.Partition) >= len(t.Partitions) {
			return f.is(Foreign, "the topic has no such partition"), nil
		}
		return f.is(Live, "manifest head"), nil
	}
	f.LeaderEpoch, f.UID = page.LeaderEpoch, page.UID
	p := c.part(tp)
	if p.pages == nil {
		refs, err := p.m.Pages(ctx)
		if err != nil {
			return f, err
		}
		p.pages = make(map[string]bool, len(refs))
		for _, r := range refs {
			p.pages[r.UID] = true
		}
	}
	if p.pages[f.UID] {
		return f.is(Live, "manifest page"), nil
	}
	h, _ := p.m.Head()
	for _, r := range h.Retired {
		if r.UID == f.UID && r.At.Time().Add(c.grace).After(c.now) {
			return f.is(Pending, "replaced, grace time runs"), nil
		} else if r.UID == f.UID {
			return f.is(Garbage, "replaced by a newer page"), nil
		}
	}
	return f.uncommitted(h), nil
}

func (c *Census) cluster(ctx context.Context, f Finding) (Finding, error) {
	if f.Key == cluster.HeadKey {
		return f.is(Live, "cluster head"), nil
	}
	if _, ok := strings.CutPrefix(f.Key, cluster.BeatsPrefix); ok {
		return f.is(Live, "beat of an agent"), nil
	}
	name, age := "", int64(0)
	if s, ok := strings.CutPrefix(f.Key, cluster.SnapshotsPrefix); ok {
		name, age = s, cluster.SnapshotAgeMax
	} else if s, ok := strings.CutPrefix(f.Key, cluster.DeltasPrefix); ok {
		name = s
	}
	version, ok := cluster.ObjectName(name).Version()
	if !ok {
		return f.is(Foreign, "not the name of an object of the cluster state"), nil
	}
	if err := c.refresh(ctx); err != nil {
		return f, err
	}
	v := c.reader.view()
	if v.root.Refers(f.Key) {
		return f.is(Live, "cluster state"), nil
	}
	for _, r := range v.root.Retired {
		if r.Key == f.Key && r.At.Time().Add(c.grace).After(c.now) {
			return f.is(Pending, "replaced, grace time runs"), nil
		} else if r.Key == f.Key {
			return f.is(Garbage, "replaced by a newer snapshot"), nil
		}
	}
	if v.head.Version >= version+age {
		return f.is(Garbage, "never committed, the head is at version %d", v.head.Version), nil
	}
	return f.is(Pending, "not committed, version %d may do so", version+age), nil
}

func (c *Census) table(ctx context.Context, f Finding, o objstore.Info) (Finding, error) {
	_, rest, _ := strings.Cut(o.Key, "/")
	id, _, inside := strings.Cut(rest, "/")
	topic, err := kafka.ParseTopicID(id)
	if err != nil || !inside {
		return f.is(Foreign, "not a table of a topic"), nil //nolint:nilerr // it is the finding
	}
	f, gone, err := c.gone(ctx, f, topic, o)
	if err != nil || gone {
		return f, err
	}
	return f.is(Live, "table"), nil
}

// damaged tells errors that are a finding about the bucket rather than a failure to read it.
func damaged(err error) bool {
	for _, class := range []error{
		manifest.ErrCorrupt, register.ErrCorrupt, cluster.ErrCorrupt, checkpoint.ErrCorrupt, errVanished,
		objstore.ErrChecksum,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
