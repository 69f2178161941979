package catalog

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/kafka"
)

// Bounds of the package.
const (
	// QueueMax bounds commits that wait; more are ErrOverloaded.
	QueueMax = 4096
	// CommitTries bounds how often a commit or an edit is tried after conflicts.
	CommitTries = 32
	// LoadParallel bounds reads at once while a state is loaded.
	LoadParallel = 16
	// PageCacheEntriesMax bounds the items of all cached manifest pages together.
	PageCacheEntriesMax = 128 << 10
)

// Floor remembers on the agent's disk the highest version of the cluster head that it saw.
type Floor interface {
	// Floor gives what was remembered; an empty cluster id: nothing.
	Floor() (clusterID string, version int64)
	// RaiseFloor remembers a version durably before it returns. Lower ones are ignored.
	RaiseFloor(clusterID string, version int64) error
}

// Options are the parts and settings of a Catalog. The zero value works for a reader.
type Options struct {
	// Create makes a new, empty catalog where the bucket has none and the Floor remembers none.
	Create bool
	// Floor, if not nil, guards against a restored old bucket.
	Floor Floor
	// CommitTimeout bounds one commit with all its retries. Default 30 s.
	CommitTimeout time.Duration
	// Register configures the heads. The zero value means register.DefaultConfig.
	Register register.Config
	// Limits bound the manifests. The zero value means manifest.DefaultLimits.
	Limits manifest.Limits
	// Logger and Metrics may be nil.
	Logger  *slog.Logger
	Metrics *Metrics
	// NewUID gives unique names of lower-case letters and digits; nil: random ones.
	NewUID func() string
	// Now is the agent's clock, used between two looks at the store's; nil: time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = 30 * time.Second
	}
	if o.Register.BytesMax == 0 {
		o.Register = register.DefaultConfig()
	}
	if o.Limits == (manifest.Limits{}) {
		o.Limits = manifest.DefaultLimits()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.NewUID == nil {
		o.NewUID = NewUID
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// NewUID is a fresh unique name of 24 lower-case hex digits, fit for a segment or page.
func NewUID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails, as documented since Go 1.24
	return hex.EncodeToString(b[:])
}

// NewClusterID is a fresh cluster id as Kafka writes it: a version 4 UUID in 22 characters of
// URL-safe base64, not beginning with '-'.
func NewClusterID() string {
	id := NewTopicID()
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// NewTopicID is a fresh topic id, whose text forms do not begin with '-'.
func NewTopicID() kafka.TopicID {
	for {
		var id kafka.TopicID
		_, _ = rand.Read(id[:]) // never fails, as documented since Go 1.24
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' {
			return id
		}
	}
}
