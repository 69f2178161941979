package group

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/kafka"
)

// partitions is a set.
type partitions map[kafka.TopicPartition]bool

// reader is a client of the model: what it believes of its membership, and what it reads. It is honest:
// it says what it reads or was told to read, stops to read what it is told to, and starts afresh when it
// is fenced. Its answers may get lost.
type reader struct {
	w        *mixed
	instance *string
	classic  bool

	id     string // empty: not a member
	epoch  int32  // or generation
	topics []string
	regex  string
	// told is what it may read by its last answer, reads what it reads.
	told, reads partitions

	// Of the classic protocol: the request that waits for an answer, and what a leader was told.
	waits   coordinator.Token
	lost    bool // the answer will be
	synced  bool
	members []JoinedMember
	heard   time.Time // of the coordinator
}

// holds is what the reader must not lose without being told.
func (r *reader) holds() partitions {
	all := maps.Clone(r.reads)
	maps.Copy(all, r.told)
	return all
}

// reset begins afresh without partitions.
func (r *reader) reset() {
	r.epoch, r.synced = 0, false
	r.reads, r.told = partitions{}, partitions{}
	r.members, r.waits = nil, 0
}

// obey stops to read what is not told; with all it reads all that is.
func (r *reader) obey(all bool) {
	for tp := range r.reads {
		if !r.told[tp] {
			delete(r.reads, tp)
		}
	}
	if all {
		r.reads = maps.Clone(r.told)
	}
}

// heartbeat of the consumer protocol; what it says and whether the answer arrives are chances.
func (r *reader) heartbeat(says, arrives bool) {
	w := r.w
	if r.id == "" {
		w.named++
		r.id = fmt.Sprintf("m%05d", w.named)
		r.reset()
	}
	q := ConsumerHeartbeatRequest{
		Version: 1, Group: "g", MemberID: r.id, MemberEpoch: r.epoch, InstanceID: r.instance,
		Client: Client{ID: "c", Host: "/h"}, RebalanceTimeout: -1,
	}
	if r.epoch == EpochJoin || says {
		q.RebalanceTimeout, q.Topics, q.Regex, q.Owned = 20*time.Second, r.topics, &r.regex, assignor.Assignment{}
		for tp := range r.holds() {
			q.Owned[tp.Topic] = append(q.Owned[tp.Topic], tp.Partition)
		}
	}
	reply := w.now848(func(now time.Time, to coordinator.Token) coordinator.Effects {
		return w.m.ConsumerHeartbeat(now, to, q)
	})
	switch {
	case !arrives:
	case reply.Err == nil:
		a := reply.Value.(ConsumerHeartbeatResponse)
		r.epoch = a.MemberEpoch
		if a.Assignment != nil {
			r.tell(a.Assignment)
		}
	case errors.Is(reply.Err, ErrFencedEpoch):
		r.reset()
	case errors.Is(reply.Err, ErrUnknownMember), errors.Is(reply.Err, ErrGroupIDNotFound),
		errors.Is(reply.Err, ErrFencedInstance), errors.Is(reply.Err, ErrUnreleasedInstance):
		r.id = ""
		r.reset()
	case errors.Is(reply.Err, ErrGroupMaxSize):
		r.reset()
	default:
		w.t.Fatalf("heartbeat %+v: %v", q, reply.Err)
	}
}

func (r *reader) tell(a assignor.Assignment) {
	r.told = partitions{}
	for topic, list := range a {
		for _, p := range list {
			r.told[kafka.TopicPartition{Topic: topic, Partition: p}] = true
		}
	}
}

// leave ends the membership, or with the epoch -2 suspends it.
func (r *reader) leave(epoch int32) {
	if r.id == "" {
		return
	}
	if r.classic {
		r.w.now848(func(now time.Time, to coordinator.Token) coordinator.Effects {
			return r.w.m.Leave(now, to, LeaveRequest{
				Group: "g", Members: []Leaving{{MemberID: r.id, InstanceID: r.instance}},
			})
		})
	} else {
		r.w.now848(func(now time.Time, to coordinator.Token) coordinator.Effects {
			return r.w.m.ConsumerHeartbeat(now, to, ConsumerHeartbeatRequest{
				Version: 1, Group: "g", MemberID: r.id, InstanceID: r.instance, MemberEpoch: epoch,
				RebalanceTimeout: -1,
			})
		})
	}
	r.id = ""
	r.reset()
}

const classicSession = 10 * time.Second

// next makes the next move of a client of the classic protocol, which assigns cooperatively.
func (r *reader) next(arrives bool) {
	w := r.w
	switch {
	case r.waits != 0:
		return
	case r.id != "" && w.now.Sub(r.heard) >= classicSession:
		r.id = "" // its session may be over: the coordinator would take it in as a new member
		r.reset()
		fallthrough
	case r.epoch == 0 || !r.synced && r.members == nil && r.epoch < 0:
		r.join(arrives)
	case !r.synced:
		q := SyncRequest{
			Group: "g", Generation: r.epoch, MemberID: r.id, InstanceID: r.instance,
			Assignments: r.assign(),
		}
		r.ask(arrives, func(now time.Time, to coordinator.Token) coordinator.Effects {
			return w.m.Sync(now, to, q)
		})
	default:
		q := HeartbeatRequest{Group: "g", Generation: r.epoch, MemberID: r.id, InstanceID: r.instance}
		r.ask(arrives, func(now time.Time, to coordinator.Token) coordinator.Effects {
			return w.m.Heartbeat(now, to, q)
		})
	}
}

func (r *reader) join(arrives bool) {
	said := kmsg.NewConsumerMemberMetadata()
	said.Version, said.Topics = 1, r.topics
	for tp := range r.holds() {
		if topic, ok := r.w.topics.image.ByID(tp.Topic); ok {
			said.OwnedPartitions = append(said.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{
				Topic: topic.Name, Partitions: []int32{tp.Partition},
			})
		}
	}
	q := JoinRequest{
		Group: "g", MemberID: r.id, InstanceID: r.instance, Client: Client{ID: "c", Host: "/h"},
		SessionTimeout: classicSession, RebalanceTimeout: 20 * time.Second, ProtocolType: consumerProtocol,
		Protocols: []Protocol{{Name: "cooperative", Metadata: said.AppendTo(nil)}}, RequireMemberID: true,
	}
	r.ask(arrives, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return r.w.m.Join(now, to, q)
	})
}

// ask sends a request whose answer may come later.
func (r *reader) ask(
	arrives bool, do func(now time.Time, to coordinator.Token) coordinator.Effects,
) {
	r.lost = !arrives
	r.waits = r.w.token + 1
	r.w.asked[r.waits] = r
	r.w.driver.ask("", do)
}

// hear takes in the answer of a request of the classic protocol.
func (r *reader) hear(reply coordinator.Reply) {
	r.waits = 0
	if !r.lost && reply.Err == nil {
		r.heard = r.w.now
	}
	var required *MemberIDRequired
	switch {
	case r.lost:
		r.synced, r.epoch = false, 0 // asks to join again
	case reply.Err == nil:
		r.told848(reply.Value)
	case errors.As(reply.Err, &required):
		r.id = required.MemberID
	case errors.Is(reply.Err, ErrRebalancing):
		r.synced, r.epoch, r.members = false, 0, nil // joins again with what it has
	case errors.Is(reply.Err, ErrIllegalGeneration), errors.Is(reply.Err, ErrGroupMaxSize),
		errors.Is(reply.Err, ErrInconsistentProtocol):
		r.reset() // what it read may be with others
	case errors.Is(reply.Err, ErrUnknownMember), errors.Is(reply.Err, ErrFencedInstance):
		r.id = ""
		r.reset()
	default:
		r.w.t.Fatalf("classic client: %v", reply.Err)
	}
}

func (r *reader) told848(value any) {
	switch v := value.(type) {
	case JoinResponse:
		r.id, r.epoch, r.synced, r.members = v.MemberID, v.Generation, false, v.Members
	case SyncResponse:
		r.synced, r.members = true, nil
		a, ok := readAssignment(r.w.topics.image, v.Assignment)
		if !ok {
			r.w.t.Fatalf("assignment %x", v.Assignment)
		}
		r.tell(a)
		if before := len(r.reads); before > 0 {
			if r.obey(false); len(r.reads) < before {
				r.synced, r.epoch = false, 0 // it gave some up: another round gives them to others
			}
		}
	}
}

// assign is what a leader of the classic protocol does: everybody keeps a fair share of what it has, and
// what is with nobody is given to whoever has the least.
func (r *reader) assign() map[string][]byte {
	all := map[string][]byte{}
	owned := map[kafka.TopicPartition]string{}
	says := map[string]*kmsg.ConsumerMemberMetadata{}
	image := r.w.topics.image
	for _, m := range r.members {
		says[m.MemberID] = readSubscription(m.Metadata)
		for topic, list := range owns(image, says[m.MemberID]) {
			for _, p := range list {
				owned[kafka.TopicPartition{Topic: topic, Partition: p}] = m.MemberID
			}
		}
	}
	s := assignor.Spec{Partitions: map[kafka.TopicID]int32{}}
	for _, id := range sortedKeys(says) {
		m := assignor.Member{ID: id, Target: owns(image, says[id])}
		for _, name := range namesOf(says[id]) {
			if topic, ok := image.ByName(name); ok {
				s.Partitions[topic.ID] = topic.Partitions
			}
		}
		m.Topics = idsOf(image, namesOf(says[id]))
		for topic := range m.Target {
			slices.Sort(m.Target[topic])
		}
		s.Members = append(s.Members, m)
	}
	for id, a := range assignor.Uniform(s) {
		w := kmsg.NewConsumerMemberAssignment()
		for _, topic := range named(image, a) {
			free := slices.DeleteFunc(slices.Clone(topic.Partitions), func(p int32) bool {
				by, taken := owned[kafka.TopicPartition{Topic: topic.ID, Partition: p}]
				return taken && by != id
			})
			w.Topics = append(w.Topics, kmsg.ConsumerMemberAssignmentTopic{
				Topic: topic.Name, Partitions: free,
			})
		}
		all[id] = w.AppendTo(nil)
	}
	return all
}
