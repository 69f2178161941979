package txn

import (
	"cmp"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

const (
	// idsMax bounds the transactional ids of one partition, about 500 bytes each.
	idsMax = 100_000
	// partitionsBytesMax bounds the partitions of one transaction: its record has to fit a batch.
	partitionsBytesMax = 900_000
	// waitingMax bounds the requests that wait for the end of one id's transaction.
	waitingMax = 16
	// batchMax bounds what one tick writes at once; the rest is due at once again.
	batchMax = 512
	// batchBytesMax does the same for its bytes.
	batchBytesMax = 512 << 10

	// markerPauseMin and markerPauseMax bound the pause before markers are asked for again.
	markerPauseMin = 50 * time.Millisecond
	markerPauseMax = 5 * time.Second
)

// Machine is the coordinator of one partition. Make it with New, replay the log into it, call Loaded.
type Machine struct {
	cfg   Config
	epoch int32

	ids map[string]*entry
	// ongoing and ending are the entries in those states.
	ongoing, ending map[string]*entry

	// spare is a producer id that no one has yet, or NoProducerID; wanted says that one was asked for.
	spare  kafka.ProducerID
	wanted bool

	nextAbort, nextExpire time.Time
}

var _ coordinator.Machine = (*Machine)(nil)

// entry is one transactional id.
type entry struct {
	id string
	metadata

	// What follows is not in the log.

	// lastEpoch is the epoch before the last bump that the same producer instance asked for, which it
	// may ask for again; NoProducerEpoch after a bump that fenced it.
	lastEpoch int16
	// unmarked are the partitions of an ending transaction that have no marker yet.
	unmarked partitionSet
	// sending is what the owner was asked for, nil when it has answered; then retryAt says when it is
	// asked again.
	sending *WriteMarkers
	retryAt time.Time
	pause   time.Duration
	waiting []waiter
}

// waiter is a request that waits for the end of a transaction.
type waiter struct {
	to       coordinator.Token
	request  AddPartitions
	deadline time.Time
}

// WriteMarkers is an Action, by pointer: write the end of a transaction to its partitions, and report
// by MarkersWritten. It is repeated after a reload, so a partition may get a marker twice. The owner
// writes the markers of a partition in the order of the actions: before version 2 nothing else tells a
// late one from that of the next transaction.
type WriteMarkers struct {
	ID               string
	Producer         coordinator.Producer
	Commit           bool
	Version          Version
	CoordinatorEpoch int32
	Partitions       []Partition
}

// NeedProducerID is an Action: call GiveProducerID with a fresh id.
type NeedProducerID struct{}

// New makes an empty machine. epoch is the leader epoch of its partition, which markers carry so that
// those of an earlier leader are refused.
func New(cfg Config, epoch int32) *Machine {
	return &Machine{
		cfg: cfg, epoch: epoch, ids: map[string]*entry{}, ongoing: map[string]*entry{},
		ending: map[string]*entry{}, spare: kafka.NoProducerID,
	}
}

// Len is the number of transactional ids.
func (m *Machine) Len() int { return len(m.ids) }

// Replay takes in one record of the log.
func (m *Machine) Replay(r coordinator.Stored) error {
	id, err := decodeKey(r.Key)
	if err != nil {
		return err
	}
	if r.Value == nil {
		m.forget(id)
		return nil
	}
	next, err := decode(r.Value)
	if err != nil {
		return err
	}
	m.apply(id, next).lastEpoch = kafka.NoProducerEpoch
	return nil
}

// ReplayEnd does nothing: the log of transactions holds none.
func (m *Machine) ReplayEnd(coordinator.Producer, bool) {}

// Loaded asks for the markers of the transactions whose end was decided before.
func (m *Machine) Loaded(now time.Time) coordinator.Effects {
	m.nextAbort, m.nextExpire = now.Add(m.cfg.AbortInterval), now.Add(m.cfg.RemoveInterval)
	var eff coordinator.Effects
	for _, e := range byID(m.ending) {
		m.mark(&eff, e, now)
	}
	return eff
}

// GiveProducerID brings an id for the next transition that needs one.
func (m *Machine) GiveProducerID(id kafka.ProducerID) {
	m.spare, m.wanted = id, false
}

// take gives the spare id away.
func (m *Machine) take() (kafka.ProducerID, bool) {
	id := m.spare
	m.spare = kafka.NoProducerID
	return id, id != kafka.NoProducerID
}

// apply makes next the state of an id. Transitions and Replay change it here only.
func (m *Machine) apply(id string, next metadata) *entry {
	e := m.ids[id]
	if e == nil {
		e = &entry{id: id, lastEpoch: kafka.NoProducerEpoch}
		m.ids[id] = e
	}
	e.metadata = next
	e.unmarked, e.sending, e.retryAt, e.pause = nil, nil, time.Time{}, 0
	delete(m.ongoing, id)
	delete(m.ending, id)
	switch {
	case next.state == Ongoing:
		m.ongoing[id] = e
	case next.state.ending():
		e.unmarked = next.partitions
		m.ending[id] = e
	}
	return e
}

func (m *Machine) forget(id string) {
	delete(m.ids, id)
	delete(m.ongoing, id)
	delete(m.ending, id)
}

// put writes and applies a new state.
func (m *Machine) put(eff *coordinator.Effects, id string, next metadata) *entry {
	eff.Records = append(eff.Records, encode(id, &next))
	return m.apply(id, next)
}

// mark asks for the markers that an ending transaction lacks, or completes it.
func (m *Machine) mark(eff *coordinator.Effects, e *entry, now time.Time) {
	if len(e.unmarked) == 0 {
		m.put(eff, e.id, e.complete(kafka.TimestampOf(now)))
		m.resume(eff, e, now)
		return
	}
	e.sending, e.retryAt = &WriteMarkers{
		ID: e.id, Producer: e.producer, Commit: e.state == PrepareCommit, Version: e.version,
		CoordinatorEpoch: m.epoch, Partitions: e.unmarked.sorted(),
	}, time.Time{}
	eff.Actions = append(eff.Actions, e.sending)
}

// resume runs what waited for the end of a transaction.
func (m *Machine) resume(eff *coordinator.Effects, e *entry, now time.Time) {
	waiting := e.waiting
	e.waiting = nil
	for _, w := range waiting {
		eff.And(m.AddPartitions(now, w.to, w.request))
	}
}

// MarkersWritten takes in what the owner did: the transaction is complete once no partition lacks its
// marker. failed are the partitions to be tried again; the others have their marker, or are gone. A
// result of anything but the newest action changes nothing.
func (m *Machine) MarkersWritten(now time.Time, of *WriteMarkers, failed []Partition,
) (eff coordinator.Effects) {
	e := m.ending[of.ID]
	if e == nil || e.sending != of {
		return eff
	}
	left := partitionSet{}
	for _, p := range failed {
		if _, lacks := e.unmarked[p]; lacks {
			left[p] = struct{}{}
		}
	}
	if len(left) < len(e.unmarked) {
		e.pause = 0 // some progress
	}
	e.unmarked, e.sending = left, nil
	if len(left) == 0 {
		m.mark(&eff, e, now)
		return eff
	}
	e.pause = min(max(2*e.pause, markerPauseMin), markerPauseMax)
	e.retryAt = now.Add(e.pause)
	return eff
}

// byID lists entries in the order of their ids, so that the same history gives the same effects.
func byID(entries map[string]*entry) []*entry {
	out := make([]*entry, 0, len(entries))
	for _, e := range entries {
		out = append(out, e)
	}
	return sortByID(out)
}

func sortByID(entries []*entry) []*entry {
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.id, b.id) })
	return entries
}
