package datadir

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/varve-log/varve/kafka"
)

// ErrLocked: another process holds the directory.
var ErrLocked = errors.New("data directory is in use")

const (
	lockName      = "lock"
	identityName  = "identity.json"
	partitionsDir = "partitions"
	cacheDir      = "cache"
	quarantineDir = "quarantine"
	formatVersion = 1
	bootIDPath    = "/proc/sys/kernel/random/boot_id"
)

// Identity is what the disk remembers between runs.
type Identity struct {
	Format    int    `json:"format"`
	DiskUUID  string `json:"disk_uuid"`
	AgentID   int32  `json:"agent_id"`
	ClusterID string `json:"cluster_id,omitempty"`
	// FloorVersion is the highest version of the cluster head this disk has seen.
	FloorVersion int64 `json:"floor_version"`
	// BootID is the machine's boot during which the last run wrote.
	BootID string `json:"boot_id,omitempty"`
	// CleanStop says that the last run flushed everything and ended in order.
	CleanStop bool `json:"clean_stop"`
	// Doubtful says that the logs here may be behind the bucket and were not all held against it.
	Doubtful bool `json:"doubtful,omitempty"`
}

// Dir is an open, locked data directory.
type Dir struct {
	path string
	lock *os.File
	// possibleLoss and fresh are fixed when the directory is opened.
	possibleLoss bool
	fresh        bool

	mu       sync.Mutex
	identity Identity
}

// Open creates the directory if needed, locks it and reads or makes its identity. A directory that
// another process holds is ErrLocked.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(filepath.Join(path, partitionsDir), 0o755); err != nil {
		return nil, fmt.Errorf("create data directory %s: %w", path, err)
	}
	lock, err := takeLock(filepath.Join(path, lockName))
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if err := d.load(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

// Path is the directory itself.
func (d *Dir) Path() string { return d.path }

// PartitionPath is where the hot log of tp lives.
func (d *Dir) PartitionPath(tp kafka.TopicPartition) string {
	return filepath.Join(d.path, partitionsDir, tp.Topic.Hex()+"-"+strconv.Itoa(int(tp.Partition)))
}

// Quarantine moves the log of tp away, out of reach of any later start, and tells where it went.
// Nothing of it is deleted: that is for an operator.
func (d *Dir) Quarantine(tp kafka.TopicPartition) (string, error) {
	from := d.PartitionPath(tp)
	parent := filepath.Join(d.path, quarantineDir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("create the quarantine directory: %w", err)
	}
	to := filepath.Join(parent, filepath.Base(from)+"-"+newUUID()[:8])
	if err := os.Rename(from, to); err != nil {
		return "", fmt.Errorf("quarantine %s: %w", from, err)
	}
	return to, errors.Join(syncDir(parent), syncDir(filepath.Dir(from)))
}

// CachePath is where ranges of the bucket are kept.
func (d *Dir) CachePath() string { return filepath.Join(d.path, cacheDir) }

// Partitions lists the partitions that have a directory here, in no order. Names that are not a
// partition's are left out and stay untouched.
func (d *Dir) Partitions() ([]kafka.TopicPartition, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, partitionsDir))
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", d.path, err)
	}
	var tps []kafka.TopicPartition
	for _, e := range entries {
		topic, index, found := strings.Cut(e.Name(), "-")
		id, err := kafka.ParseTopicID(topic)
		n, numErr := strconv.ParseInt(index, 10, 32)
		if !found || err != nil || numErr != nil {
			continue
		}
		tps = append(tps, kafka.TopicPartition{Topic: id, Partition: int32(n)})
	}
	return tps, nil
}

// Identity is what the disk remembers now.
func (d *Dir) Identity() Identity {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.identity
}

// Fresh reports whether the directory had no identity before this Open: the disk is new or was lost.
func (d *Dir) Fresh() bool { return d.fresh }

// PossibleLoss reports whether the last run on this disk may have lost data it had written: the
// machine booted since and the run did not stop cleanly (design section 6).
func (d *Dir) PossibleLoss() bool { return d.possibleLoss }

// Doubtful reports whether logs of this disk must be held against the bucket before they are led:
// after a possible loss, or since MarkDoubtful and not yet MarkSettled.
func (d *Dir) Doubtful() bool { return d.possibleLoss || d.Identity().Doubtful }

// BootID names the machine's running boot; empty where the system does not tell.
func (d *Dir) BootID() string { return bootID() }

// Floor is the cluster and the highest version of its head that this disk has seen.
func (d *Dir) Floor() (clusterID string, version int64) {
	id := d.Identity()
	return id.ClusterID, id.FloorVersion
}

// MarkRunning records that a run of agentID in clusterID begins, before the first append.
func (d *Dir) MarkRunning(agentID int32, clusterID string) error {
	return d.update(func(id *Identity) {
		id.AgentID, id.ClusterID, id.CleanStop, id.BootID = agentID, clusterID, false, bootID()
	})
}

// MarkDoubtful records that the logs here may be behind the bucket, before anything is committed
// that lets a later start forget why.
func (d *Dir) MarkDoubtful() error {
	if d.Identity().Doubtful {
		return nil
	}
	return d.update(func(id *Identity) { id.Doubtful = true })
}

// MarkSettled records that every log here was held against the bucket.
func (d *Dir) MarkSettled() error {
	if !d.Identity().Doubtful {
		return nil
	}
	return d.update(func(id *Identity) { id.Doubtful = false })
}

// MarkCleanStop records that everything is flushed and the run ends in order.
func (d *Dir) MarkCleanStop() error {
	return d.update(func(id *Identity) { id.CleanStop = true })
}

// RaiseFloor remembers a version of the cluster head. Lower ones are ignored.
func (d *Dir) RaiseFloor(clusterID string, version int64) error {
	if id := d.Identity(); id.ClusterID == clusterID && id.FloorVersion >= version {
		return nil
	}
	return d.update(func(id *Identity) {
		id.ClusterID = clusterID
		id.FloorVersion = max(id.FloorVersion, version)
	})
}

// Close gives the lock back. The identity stays as last written.
func (d *Dir) Close() error { return d.lock.Close() }

func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock of the data directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w by another agent; stop it or choose another --data-dir",
				filepath.Dir(path), ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

func (d *Dir) load() error {
	path := filepath.Join(d.path, identityName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		d.fresh = true
		d.identity = Identity{Format: formatVersion, DiskUUID: newUUID(), CleanStop: true}
		return d.write(d.identity)
	}
	if err != nil {
		return fmt.Errorf("read identity of the data directory: %w", err)
	}
	if err := json.Unmarshal(raw, &d.identity); err != nil {
		return fmt.Errorf("%s is damaged (%w): restore it from a backup, or move the data "+
			"directory away and start on an empty one", path, err)
	}
	if d.identity.Format != formatVersion || d.identity.DiskUUID == "" {
		return fmt.Errorf("%s has format %d, this agent reads format %d: use the version of varve "+
			"that wrote it", path, d.identity.Format, formatVersion)
	}
	d.possibleLoss = !d.identity.CleanStop && d.identity.BootID != bootID()
	return nil
}

func (d *Dir) update(change func(*Identity)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.identity
	change(&next)
	if err := d.write(next); err != nil {
		return err
	}
	d.identity = next
	return nil
}

func (d *Dir) write(id Identity) error {
	raw, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encode identity: %w", err)
	}
	path := filepath.Join(d.path, identityName)
	if err := replaceFile(path, raw); err != nil {
		return fmt.Errorf("write identity of the data directory: %w", err)
	}
	return nil
}

func replaceFile(path string, raw []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bootID names the machine's current boot; empty where the system has no such thing, and then a
// dirty stop never counts as a reboot.
func bootID() string {
	raw, err := os.ReadFile(bootIDPath)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func newUUID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("datadir: no randomness: " + err.Error())
	}
	return hex.EncodeToString(b[:])
}
