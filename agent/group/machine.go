package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Machine is the group coordinator of one partition of __consumer_offsets.
type Machine struct {
	cfg    Config
	topics Topics
	newID  func() string // a random UUID
	hashes topicHashes

	groups  map[string]*entry
	pending map[kafka.ProducerID]*pendingOffsets
	// applied counts the offsets that were taken in; it orders them as their offsets in the log do.
	applied uint64
	timers  timers

	cleaner    timer // goes on with sweeps, or starts one for what has expired
	sweeps     []*sweep
	expireNext time.Time
}

var _ coordinator.Machine = (*Machine)(nil)

// Topics is what a machine asks of the cluster's topics. Answers may change from call to call.
type Topics interface {
	// TopicID gives the id of the topic of a name.
	TopicID(name string) (kafka.TopicID, bool)
	// Image is all topics as they are now.
	Image() Image
}

// turn is one transition: when it runs and what it asks for.
type turn struct {
	now time.Time
	coordinator.Effects
}

// New makes the machine of an empty partition. newID gives a random UUID in Kafka's text form, for
// member ids. The config is valid.
func New(cfg Config, topics Topics, newID func() string) *Machine {
	m := &Machine{
		cfg: cfg, topics: topics, newID: newID, hashes: topicHashes{},
		groups: make(map[string]*entry), pending: make(map[kafka.ProducerID]*pendingOffsets),
	}
	m.cleaner.fire = m.clean
	return m
}

// Loaded starts the deadlines of all that was loaded.
func (m *Machine) Loaded(now time.Time) coordinator.Effects {
	t := &turn{now: now}
	for _, e := range m.groups {
		if e.group != nil {
			e.group.start(t)
		}
	}
	m.expireNext = now.Add(m.cfg.OffsetsRetentionCheck)
	m.timers.set(&m.cleaner, m.expireNext)
	return t.Effects
}

// Due is when Tick is to be called next.
func (m *Machine) Due() time.Time { return m.timers.next() }

// Tick does what is due by now.
func (m *Machine) Tick(now time.Time) coordinator.Effects {
	t := &turn{now: now}
	m.timers.run(t)
	return t.Effects
}

// write asks for records and takes them in as a load would.
func (m *Machine) write(t *turn, records ...coordinator.Record) {
	for _, r := range records {
		t.Records = append(t.Records, r)
		if err := m.Replay(coordinator.Stored{Record: r, Timestamp: kafka.TimestampOf(t.now)}); err != nil {
			panic("group: a record of our own cannot be read: " + err.Error())
		}
	}
}
