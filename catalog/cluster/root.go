package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-log/varve/kafka"
)

// Keys of the cluster's objects.
const (
	HeadKey         = "cluster/head"
	SnapshotsPrefix = "cluster/snapshots/"
	DeltasPrefix    = "cluster/deltas/"
	BeatsPrefix     = "cluster/beats/"
)

// Bounds of the run of deltas.
const (
	// InlineBytesMax is how many bytes of deltas the head holds itself; beyond it all of them move to
	// one delta object in the same commit.
	InlineBytesMax = 16 << 10
	// DeltasMax and DeltaBytesMax bound the run of delta objects before a snapshot is due.
	DeltasMax     = 64
	DeltaBytesMax = 1 << 20
	// DeltasHardMax is where a commit waits for the snapshot.
	DeltasHardMax = 256
	// RetiredMax bounds the list of replaced objects; the oldest fall off and are then swept without
	// grace, which costs a reader that is just opening one more look at the head.
	RetiredMax = 1024
	// SnapshotAgeMax is how many versions may pass between a snapshot's state and its commit. Pages of
	// an attempt older than that can never be committed any more.
	SnapshotAgeMax = 64
)

// Root is the body of the cluster head.
type Root struct {
	ClusterID string `json:"cluster_id"`
	// Changed is the version of the newest delta.
	Changed int64 `json:"changed"`
	// Snapshot is the state that the deltas begin from; without pages it is the empty state.
	Snapshot Snapshot `json:"snapshot"`
	// Deltas are objects with deltas, Inline the deltas after them, both in order.
	Deltas []DeltaRef `json:"deltas,omitempty"`
	Inline []Delta    `json:"inline,omitempty"`
	// Retired are replaced objects that no sweep has deleted.
	Retired []Retired `json:"retired,omitempty"`
}

// Snapshot is a state in pages by ranges of topic ids.
type Snapshot struct {
	Changed int64     `json:"changed"`
	Pages   []PageRef `json:"pages,omitempty"`
}

// PageRef names a page with the topics from First up to the next page's First; the first page of a
// snapshot holds all that is not a topic and has the zero First.
type PageRef struct {
	Name  ObjectName    `json:"name"`
	First kafka.TopicID `json:"first"`
	Bytes int64         `json:"bytes"`
}

// DeltaRef names an object with the deltas that lead from version From to To.
type DeltaRef struct {
	Name  ObjectName `json:"name"`
	From  int64      `json:"from"`
	To    int64      `json:"to"`
	Bytes int64      `json:"bytes"`
}

// Retired is an object that the head stopped needing.
type Retired struct {
	Key string `json:"key"`
	// At is by the store's clock.
	At kafka.Timestamp `json:"at"`
}

// ObjectName is <version in 20 digits>-<uid>. For a delta object the version is the one that its
// commit gave the head, so that once the head is there an object that it does not name never will
// be. For a snapshot page it is that of the state.
type ObjectName string

// NewObjectName makes a name. uid is unique, of lower-case letters and digits.
func NewObjectName(version int64, uid string) ObjectName {
	return ObjectName(fmt.Sprintf("%020d-%s", version, uid))
}

// Version is the first part of the name; false when the name is malformed.
func (n ObjectName) Version() (int64, bool) {
	digits, uid, found := strings.Cut(string(n), "-")
	v, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || uid == "" || len(uid) > 64 || NewObjectName(v, uid) != n {
		return 0, false
	}
	for _, c := range []byte(uid) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return 0, false
		}
	}
	return v, true
}

// Key of the page's object.
func (r PageRef) Key() string { return SnapshotsPrefix + string(r.Name) }

// Key of the delta object.
func (r DeltaRef) Key() string { return DeltasPrefix + string(r.Name) }

// Object is one to be written before the head that names it.
type Object struct {
	Key   string
	Bytes []byte
}

// Append adds a delta to the root and, where the head has no room for it, gives the one delta
// object that must be written first. uid is a fresh unique name for it.
func (r Root) Append(d Delta, uid string) (Root, *Object, error) {
	r.Changed = d.To
	r.Inline = append(slices.Clip(r.Inline), d)
	raw, err := json.Marshal(r.Inline)
	if err != nil {
		return r, nil, fmt.Errorf("encode deltas: %w", err)
	}
	if len(raw) <= InlineBytesMax {
		return r, nil, nil
	}
	packed, err := EncodeDeltas(r.Inline)
	if err != nil {
		return r, nil, err
	}
	ref := DeltaRef{
		Name: NewObjectName(d.To, uid), From: r.Inline[0].From, To: d.To, Bytes: int64(len(packed)),
	}
	r.Deltas = append(slices.Clip(r.Deltas), ref)
	r.Inline = nil
	return r, &Object{Key: ref.Key(), Bytes: packed}, nil
}

// SnapshotDue tells that the run of deltas is long enough for a new snapshot, SnapshotOverdue that
// commits must wait for it.
func (r Root) SnapshotDue() bool {
	var bytes int64
	for _, d := range r.Deltas {
		bytes += d.Bytes
	}
	return len(r.Deltas) >= DeltasMax || bytes >= DeltaBytesMax
}

// SnapshotOverdue: see SnapshotDue.
func (r Root) SnapshotOverdue() bool { return len(r.Deltas) >= DeltasHardMax }

// WithSnapshot replaces the snapshot by one of a later state, drops the deltas that it holds, and
// retires what is not needed any more as of at, by the store's clock. prev is the snapshot that
// pages were reused from. False when the root does not have that snapshot any more: plan again.
func (r Root) WithSnapshot(s, prev Snapshot, at kafka.Timestamp) (Root, bool) {
	if !slices.Equal(r.Snapshot.Pages, prev.Pages) || s.Changed < r.Snapshot.Changed {
		return r, false
	}
	retired := slices.Clone(r.Retired)
	for _, p := range r.Snapshot.Pages {
		if !slices.Contains(s.Pages, p) {
			retired = append(retired, Retired{Key: p.Key(), At: at})
		}
	}
	var deltas []DeltaRef
	for _, d := range r.Deltas {
		if d.To <= s.Changed {
			retired = append(retired, Retired{Key: d.Key(), At: at})
		} else {
			deltas = append(deltas, d)
		}
	}
	r.Deltas = deltas
	held := func(d Delta) bool { return d.To <= s.Changed }
	r.Inline = slices.DeleteFunc(slices.Clone(r.Inline), held)
	r.Retired = retired[max(0, len(retired)-RetiredMax):]
	r.Snapshot = s
	return r, true
}

// WithoutRetired drops swept objects from the list.
func (r Root) WithoutRetired(swept map[string]bool) Root {
	gone := func(x Retired) bool { return swept[x.Key] }
	r.Retired = slices.DeleteFunc(slices.Clone(r.Retired), gone)
	return r
}

// Refers reports whether the root needs the object under key.
func (r Root) Refers(key string) bool {
	return slices.ContainsFunc(r.Deltas, func(d DeltaRef) bool { return d.Key() == key }) ||
		slices.ContainsFunc(r.Snapshot.Pages, func(p PageRef) bool { return p.Key() == key })
}

// Follows reports whether the deltas lead on from a state whose Changed is given, without the
// snapshot.
func (r Root) Follows(changed int64) bool {
	if changed == r.Changed || changed == r.Snapshot.Changed {
		return true
	}
	spans := func(d DeltaRef) bool { return d.From <= changed && changed < d.To }
	return slices.ContainsFunc(r.Deltas, spans) ||
		slices.ContainsFunc(r.Inline, func(d Delta) bool { return d.From == changed })
}
