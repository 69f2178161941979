package group

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

// mixedSteps is how many operations TestMixedModel makes for each of its seeds; GROUP_MODEL_STEPS and
// GROUP_MODEL_SEED choose others.
const (
	mixedSteps = 1_000
	mixedSeeds = 100
)

// TestMixedModel makes 100,000 random operations of clients of both protocols in one group, with topics
// that come, grow and go, answers that get lost, clients that fall silent, and restarts. After each the
// driver's checks hold (no partition is held by two members), epochs only grow, what a client reads is
// held by it; now and then a load finds the live state. In the end everybody behaves and the group comes to rest.
func TestMixedModel(t *testing.T) {
	steps, first, seeds := mixedSteps, uint64(1), uint64(mixedSeeds)
	if n, err := strconv.Atoi(os.Getenv("GROUP_MODEL_STEPS")); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv("GROUP_MODEL_SEED"), 10, 64); err == nil {
		first, seeds = n, 1
	}
	for seed := first; seed < first+seeds; seed++ {
		w := newMixed(t, seed)
		for range steps {
			w.step()
		}
		w.settle()
	}
}

// mixed is one group and its clients.
type mixed struct {
	*driver
	r       *rand.Rand
	seed    uint64
	readers []*reader
	asked   map[coordinator.Token]*reader
	named   int
	reply   coordinator.Reply
	counts  map[string]int32 // partitions of topics that exist
	made    map[string]int   // how often a topic was made
	epoch   int32
	steps   int
}

func newMixed(t *testing.T, seed uint64) *mixed {
	cfg := DefaultConfig()
	cfg.InitialRebalanceDelay = time.Second
	cfg.Consumer.MembersMax = 7
	w := &mixed{
		driver: newDriver(t, cfg), r: rand.New(rand.NewPCG(seed, 848)), seed: seed,
		asked: map[coordinator.Token]*reader{}, counts: map[string]int32{}, made: map[string]int{},
	}
	w.quiet = true
	w.onReply = func(r coordinator.Reply) {
		w.reply = r
		if client := w.asked[r.To]; client != nil {
			delete(w.asked, r.To)
			client.hear(r)
		}
	}
	for i := range 2 + w.r.IntN(7) {
		r := &reader{w: w, classic: w.oneIn(2)}
		r.reset()
		if i%4 >= 2 {
			name := fmt.Sprintf("i%d", i%3)
			r.instance = &name
		}
		w.subscribe(r)
		w.readers = append(w.readers, r)
	}
	w.change("a", 4)
	w.change("b", 3)
	return w
}

func (w *mixed) oneIn(n int) bool { return w.r.IntN(n) == 0 }

// now848 asks for what is answered at once.
func (w *mixed) now848(
	do func(now time.Time, to coordinator.Token) coordinator.Effects,
) coordinator.Reply {
	w.reply = coordinator.Reply{}
	to := w.driver.ask("", func(now time.Time, to coordinator.Token) coordinator.Effects {
		e := do(now, to)
		for _, r := range e.Replies {
			if r.To == to {
				w.reply = r
			}
		}
		return e
	})
	for r := range w.asked {
		if r == to {
			w.t.Fatalf("seed %d: not answered at once", w.seed)
		}
	}
	reply := w.reply
	return reply
}

// change makes, grows or deletes a topic.
func (w *mixed) change(name string, count int32) {
	if w.counts[name] == 0 {
		w.made[name]++
	}
	w.counts[name] = count
	var all []Topic
	for _, each := range sortedKeys(w.counts) {
		if n := w.counts[each]; n > 0 {
			all = append(all, Topic{
				Name: each, ID: testID(fmt.Sprint(each, w.made[each])), Partitions: n,
			})
		}
	}
	w.topics.image = NewImage(w.topics.image.Version()+1, all...)
}

// subscribe gives a client another subscription.
func (w *mixed) subscribe(r *reader) {
	r.topics, r.regex = []string{}, ""
	for _, name := range []string{"a", "b", "c"} {
		if w.oneIn(2) {
			r.topics = append(r.topics, name)
		}
	}
	if !r.classic && w.oneIn(3) {
		r.regex = []string{"[ab]", "c|d", ".*"}[w.r.IntN(3)]
	}
}

// step makes one operation.
func (w *mixed) step() {
	w.steps++
	r := w.readers[w.r.IntN(len(w.readers))]
	switch k := w.r.IntN(100); {
	case k < 60:
		w.move(r, w.oneIn(2), !w.oneIn(12))
	case k < 75:
		r.obey(w.oneIn(2))
	case k < 78 && r.waits == 0:
		r.leave(EpochLeave)
	case k < 80 && r.waits == 0 && r.instance != nil:
		r.leave(EpochLeaveStatic)
	case k < 82 && r.waits == 0:
		r.id = "" // falls silent; its session has to end
		r.reset()
	case k < 85 && r.waits == 0:
		w.switchProtocol(r)
	case k < 88:
		w.subscribe(r)
	case k < 89:
		name := []string{"a", "b", "c", "d"}[w.r.IntN(4)]
		w.change(name, []int32{0, w.counts[name] + 1, w.counts[name] + 1}[w.r.IntN(3)])
	case k < 90:
		w.reload()
	default:
		w.advance(time.Duration(w.r.ExpFloat64() * float64(time.Second)))
	}
	w.hold()
}

// move lets a client do what is next.
func (w *mixed) move(r *reader, says, arrives bool) {
	if r.classic {
		r.next(arrives)
	} else {
		r.heartbeat(says, arrives)
	}
}

// switchProtocol makes a client start again with the other protocol.
func (w *mixed) switchProtocol(r *reader) {
	r.leave(EpochLeave)
	r.classic = !r.classic
	w.subscribe(r)
}

// reload restarts the coordinator: who waits asks again.
func (w *mixed) reload() {
	for _, r := range w.readers {
		if r.waits != 0 {
			r.waits, r.synced, r.epoch = 0, false, 0
		}
	}
	clear(w.asked)
	w.restart()
	// A classic group may be back in the generation before, and a member's clients with it.
	if _, classic := w.group().(*classicGroup); classic {
		for _, r := range w.readers {
			if r.classic {
				r.reset()
			}
		}
	}
}

func (w *mixed) group() group {
	g, _ := w.m.lookup("g")
	return g
}

// hold checks what must be true after each operation.
func (w *mixed) hold() {
	if !rebalancing(w.m) && w.steps%50 == 0 {
		if live, loaded := showState(w.m), showState(w.load()); live != loaded {
			w.t.Fatalf("seed %d, step %d: a restart finds\n%s\nbut there was\n%s", w.seed, w.steps, loaded, live)
		}
	}
	g, is := w.group().(*consumerGroup)
	if !is {
		w.epoch = 0
		return
	}
	if g.epoch < w.epoch {
		w.t.Fatalf("seed %d, step %d: the group's epoch was %d, is %d", w.seed, w.steps, w.epoch, g.epoch)
	}
	w.epoch = g.epoch
	for _, r := range w.readers {
		c := g.members[r.id]
		if c == nil || r.epoch <= 0 || c.epoch() != r.epoch {
			continue // fenced, and does not know it yet
		}
		for tp := range r.reads {
			_, exists := w.topics.image.ByID(tp.Topic) // a name says nothing of a topic that is gone
			if exists && g.holders[tp] != r.id {
				w.t.Fatalf("seed %d, step %d: %s reads %v, which %q holds:\n%s", w.seed, w.steps, r.id, tp,
					g.holders[tp], showState(w.m))
			}
		}
	}
}

// settle lets everybody behave until the group rests: each partition that somebody subscribes to is read
// by one member.
func (w *mixed) settle() {
	taken := map[string]bool{} // two clients that share an instance id fence each other for ever
	w.readers = slices.DeleteFunc(w.readers, func(r *reader) bool {
		other := r.instance != nil && taken[*r.instance]
		if r.instance != nil {
			taken[*r.instance] = true
		}
		return other
	})
	for range 60 {
		for _, r := range w.readers {
			r.obey(true)
			w.move(r, true, true)
			r.obey(true)
			w.hold()
		}
		w.advance(1100 * time.Millisecond)
	}
	g, is := w.group().(*consumerGroup)
	if !is {
		return // all speak the classic protocol; TestModel has those
	}
	read := partitions{}
	for _, r := range w.readers {
		for tp := range r.reads {
			if read[tp] {
				w.t.Fatalf("seed %d: %v is read twice", w.seed, tp)
			}
			read[tp] = true
		}
	}
	var missing []string
	for name := range g.subscribed {
		topic, exists := w.topics.image.ByName(name)
		for p := range topic.Partitions {
			if exists && g.holders[tpOf(topic, p)] == "" {
				missing = append(missing, fmt.Sprintf("%s-%d", name, p))
			}
		}
	}
	for _, c := range g.members {
		if c.reconciled.State != reconcile.Stable || c.epoch() != g.epoch {
			missing = append(missing, c.id+" does not rest")
		}
	}
	if len(missing) > 0 {
		w.t.Fatalf("seed %d does not settle: %s\n%s", w.seed, strings.Join(missing, ", "), showState(w.m))
	}
}

func tpOf(topic Topic, partition int32) kafka.TopicPartition {
	return kafka.TopicPartition{Topic: topic.ID, Partition: partition}
}
