package txn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// The model: a few ids with several instances each, partitions that follow their transactions, and a
// coordinator that crashes. Every history is checked for what a transaction promises.
func TestRandomHistories(t *testing.T) {
	seeds, steps := 20, 5000 // 10^5 operations
	if testing.Short() {
		seeds = 4
	}
	for seed := range uint64(seeds) {
		s := newSimulation(t, seed)
		for i := range steps {
			s.step()
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, i)
			}
		}
		s.settle()
		if t.Failed() {
			t.Fatalf("seed %d, at the end", seed)
		}
	}
}

// instance is what one producer believes.
type instance struct {
	id       string
	producer coordinator.Producer
	version  Version
	inTxn    bool
}

// part is a data partition: which producer has a transaction open, by epoch.
type part struct {
	open  map[kafka.ProducerID]int16
	epoch map[kafka.ProducerID]int16
}

type simulation struct {
	t         *testing.T
	rand      *rand.Rand
	cfg       Config
	now       time.Time
	machine   *Machine
	log       []coordinator.Record // committed
	actions   []*WriteMarkers      // under way
	nextID    kafka.ProducerID
	token     coordinator.Token
	answered  map[coordinator.Token]bool
	waiting   map[coordinator.Token]func(coordinator.Reply)
	instances []*instance
	parts     map[Partition]*part
	epochs    map[kafka.ProducerID]int16 // highest in the log
	owners    map[kafka.ProducerID]string
	states    map[string]State // by the log
}

// legal are the states that may follow one; a transaction is decided once and completed once.
var legal = map[State][]State{
	Empty:          {Empty, Ongoing, PrepareAbort},
	Ongoing:        {Ongoing, PrepareCommit, PrepareAbort},
	PrepareCommit:  {CompleteCommit},
	PrepareAbort:   {CompleteAbort},
	CompleteCommit: {Empty, Ongoing, PrepareAbort},
	CompleteAbort:  {Empty, Ongoing, PrepareAbort},
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), cfg: DefaultConfig(), now: start,
		nextID: 1000, answered: map[coordinator.Token]bool{},
		waiting: map[coordinator.Token]func(coordinator.Reply){},
		parts:   map[Partition]*part{}, epochs: map[kafka.ProducerID]int16{},
		owners: map[kafka.ProducerID]string{}, states: map[string]State{},
	}
	s.cfg.IDExpiration = 30 * time.Minute
	s.machine = New(s.cfg, 1)
	s.machine.Loaded(s.now)
	for i := range 8 {
		v := Version0
		if i%2 == 1 {
			v = Version2
		}
		s.instances = append(s.instances, &instance{
			id: fmt.Sprintf("id-%d", i%3), version: v,
			producer: coordinator.Producer{ID: kafka.NoProducerID, Epoch: -1},
		})
	}
	for i := range 5 {
		s.parts[Partition{"t", int32(i)}] = &part{
			open: map[kafka.ProducerID]int16{}, epoch: map[kafka.ProducerID]int16{},
		}
	}
	return s
}

func (s *simulation) step() {
	in := s.instances[s.rand.IntN(len(s.instances))]
	switch n := s.rand.IntN(100); {
	case n < 12:
		s.init(in)
	case n < 45:
		s.add(in)
	case n < 70:
		s.end(in)
	case n < 90:
		s.markers()
	case n < 97:
		s.now = s.now.Add(time.Duration(s.rand.IntN(20_000)) * time.Millisecond)
		s.take(s.machine.Tick(s.now), s.rand.IntN(10) == 0)
	case n < 98:
		s.overflow()
	default:
		s.crash()
	}
	s.check()
}

// ask gives a token whose reply is handled by then.
func (s *simulation) ask(then func(coordinator.Reply)) coordinator.Token {
	s.token++
	s.waiting[s.token] = then
	return s.token
}

// take commits what a transition asked for; or loses it, with all that it would have caused.
func (s *simulation) take(eff coordinator.Effects, lose bool) {
	if lose && len(eff.Records) > 0 {
		s.reload()
		return
	}
	for _, r := range eff.Records {
		s.record(r)
	}
	s.log = compacted(append(s.log, eff.Records...))
	for _, r := range eff.Replies {
		if s.answered[r.To] {
			s.t.Errorf("token %d is answered twice", r.To)
		}
		s.answered[r.To] = true
		if then := s.waiting[r.To]; then != nil {
			then(r)
		}
		delete(s.waiting, r.To)
	}
	for _, a := range eff.Actions {
		switch a := a.(type) {
		case *WriteMarkers:
			s.actions = append(s.actions, a)
		case NeedProducerID:
			s.nextID++
			s.machine.GiveProducerID(s.nextID)
		}
	}
}

// compacted keeps the last record of each key, as the log's cleaner does, once there are many.
func compacted(log []coordinator.Record) []coordinator.Record {
	if len(log) < 50 {
		return log
	}
	seen := map[string]bool{}
	var kept []coordinator.Record
	for _, r := range slices.Backward(log) {
		if !seen[string(r.Key)] {
			kept = append(kept, r)
		}
		seen[string(r.Key)] = true
	}
	slices.Reverse(kept)
	return kept
}

// record checks one record against those before it: the order of states, epochs and ids.
func (s *simulation) record(r coordinator.Record) {
	id, err := decodeKey(r.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.Value == nil {
		delete(s.states, id)
		return
	}
	m, err := decode(r.Value)
	if err != nil {
		s.t.Fatal(err)
	}
	if m.producer.Epoch < s.epochs[m.producer.ID] {
		s.t.Errorf("%s: epoch of %d went back to %d", id, m.producer.ID, m.producer.Epoch)
	}
	s.epochs[m.producer.ID] = m.producer.Epoch
	if owner, ok := s.owners[m.producer.ID]; ok && owner != id {
		s.t.Errorf("producer id %d of %s was %s's", m.producer.ID, id, owner)
	}
	s.owners[m.producer.ID] = id
	before := s.states[id]
	s.states[id] = m.state
	if !slices.Contains(legal[before], m.state) {
		s.t.Errorf("%s: %s after %s", id, m.state, before)
	}
	if m.state == CompleteCommit || m.state == CompleteAbort {
		s.complete(id, m)
	}
}

// complete checks that no partition is left with the transaction open.
func (s *simulation) complete(id string, m metadata) {
	for p, at := range s.parts {
		if epoch, open := at.open[m.previousID]; open {
			s.t.Errorf("%s complete, %s-%d is open at %d/%d", id, p.Topic, p.Partition, m.previousID, epoch)
		}
	}
}

func (s *simulation) init(in *instance) {
	s.nextID++
	s.machine.GiveProducerID(s.nextID)
	q := InitProducerID{ID: in.id, Timeout: time.Minute}
	if in.producer.ID != kafka.NoProducerID && s.rand.IntN(2) == 0 {
		p := in.producer
		q.Expected = &p
	}
	lost := s.rand.IntN(10) == 0 // the answer
	to := s.ask(func(r coordinator.Reply) {
		if r.Err == nil && !lost {
			in.producer, in.inTxn = r.Value.(coordinator.Producer), false
		}
	})
	s.take(s.machine.InitProducerID(s.now, to, q), s.rand.IntN(20) == 0)
}

func (s *simulation) add(in *instance) {
	var ps []Partition
	for p := range s.parts {
		if s.rand.IntN(3) == 0 {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b Partition) int { return int(a.Partition - b.Partition) })
	if len(ps) == 0 {
		return
	}
	producer := in.producer
	to := s.ask(func(r coordinator.Reply) {
		if r.Err != nil {
			return
		}
		in.inTxn = true
		for _, p := range ps { // the producer writes, if it is not fenced there
			at := s.parts[p]
			if at.epoch[producer.ID] > producer.Epoch {
				continue
			}
			at.epoch[producer.ID], at.open[producer.ID] = producer.Epoch, producer.Epoch
		}
	})
	s.take(s.machine.AddPartitions(s.now, to, AddPartitions{
		ID: in.id, Producer: producer, Partitions: ps, Version: in.version,
	}), s.rand.IntN(20) == 0)
}

func (s *simulation) end(in *instance) {
	s.nextID++
	s.machine.GiveProducerID(s.nextID)
	q := End{
		ID: in.id, Producer: in.producer, Commit: s.rand.IntN(2) == 0, Version: in.version,
	}
	lost := s.rand.IntN(10) == 0
	to := s.ask(func(r coordinator.Reply) {
		if r.Err == nil && !lost && in.version >= Version2 {
			in.producer = r.Value.(coordinator.Producer)
		}
	})
	s.take(s.machine.End(s.now, to, q), s.rand.IntN(20) == 0)
}

// markers carries out one action, some of its partitions at least.
func (s *simulation) markers() {
	if len(s.actions) == 0 {
		return
	}
	i := s.rand.IntN(len(s.actions))
	a := s.actions[i]
	s.actions = slices.Delete(s.actions, i, i+1)
	var failed []Partition
	for _, p := range a.Partitions {
		if s.rand.IntN(5) == 0 {
			failed = append(failed, p)
			continue
		}
		s.marker(a, p)
	}
	if s.rand.IntN(20) == 0 {
		s.crash() // between the markers and their completion
		return
	}
	s.take(s.machine.MarkersWritten(s.now, a, failed), s.rand.IntN(20) == 0)
}

// marker ends a transaction in a partition as its log does.
func (s *simulation) marker(a *WriteMarkers, p Partition) {
	at := s.parts[p]
	current := at.epoch[a.Producer.ID]
	_, open := at.open[a.Producer.ID]
	stale := a.Producer.Epoch < current
	if a.Version >= Version2 && a.Producer.Epoch == current && open {
		stale = true
	}
	if stale {
		if e := s.machine.ids[a.ID]; e == nil || e.sending != a {
			return // a late one is refused
		}
		s.t.Errorf("%s: marker of epoch %d in a partition at %d", a.ID, a.Producer.Epoch, current)
		return
	}
	at.epoch[a.Producer.ID] = a.Producer.Epoch
	delete(at.open, a.Producer.ID)
}

// overflow brings an idle id near the end of its epochs.
func (s *simulation) overflow() {
	for _, e := range byID(s.machine.ids) {
		if e.state.idle() && e.producer.Epoch < 32_000 {
			next := e.to(Empty)
			next.producer.Epoch, next.partitions = 32_765, nil
			var eff coordinator.Effects
			s.machine.put(&eff, e.id, next)
			s.take(eff, false)
			return
		}
	}
}

func (s *simulation) crash() {
	s.reload()
}

func (s *simulation) reload() {
	s.machine = replayed(s.t, s.cfg, s.log)
	// The markers of an old owner may come late, where their epoch tells.
	s.actions = slices.DeleteFunc(s.actions, func(a *WriteMarkers) bool {
		return a.Version < Version2 || s.rand.IntN(2) == 0
	})
	clear(s.waiting)
	s.take(s.machine.Loaded(s.now), false)
}

// check compares the live state with what a restart would find.
func (s *simulation) check() {
	fresh := replayed(s.t, s.cfg, s.log)
	if len(fresh.ids) != len(s.machine.ids) {
		s.t.Fatalf("%d ids live, %d replayed", len(s.machine.ids), len(fresh.ids))
	}
	for id, e := range s.machine.ids {
		if got, want := fresh.ids[id].text(), e.text(); got != want {
			s.t.Fatalf("replayed %s\n    live %s", got, want)
		}
		if e.state.ending() && e.sending == nil && e.retryAt.IsZero() {
			s.t.Fatalf("%s: nobody writes its markers", id)
		}
	}
}

// settle lets everything end: no marker is lost.
func (s *simulation) settle() {
	for range 1000 {
		s.markers()
		s.now = s.now.Add(30 * time.Second)
		s.take(s.machine.Tick(s.now), false)
	}
	for p, at := range s.parts {
		for id, epoch := range at.open {
			s.t.Errorf("%s-%d: %d/%d of %s hangs", p.Topic, p.Partition, id, epoch, s.owners[id])
		}
	}
	if len(s.machine.ids) != 0 {
		s.t.Errorf("%d ids did not expire", len(s.machine.ids))
	}
}
