package cluster

import (
	"fmt"
	"slices"
)

var (
	_ Change = RegisterAgent{}
	_ Change = UpdateAgent{}
	_ Change = MarkCleanStop{}
	_ Change = RequireIncarnation{}
	_ Change = StartLeading{}
	_ Change = AllocateProducerIDs{}
)

// RegisterAgent begins a new incarnation of an agent. The fields Incarnation, CleanStop, Fenced and
// ProducerIDs of Agent are not taken from the caller.
type RegisterAgent struct {
	Agent Agent
	// Replaces is the incarnation of the holder of the id that the caller found, when that is another
	// disk, and decided to replace (see Claim). 0: replace no other disk.
	Replaces int64
}

// Apply implements Change. ErrClaimed: another disk holds the id, or not the incarnation that the
// caller decided about. ErrInvalid: a field is out of its bounds.
func (c RegisterAgent) Apply(s *State) (*State, error) {
	a := c.Agent
	if err := a.validate(); err != nil {
		return nil, fmt.Errorf("register agent %d: %w", a.ID, err)
	}
	if other, ok := s.AgentByDisk(a.DiskUUID); ok && other.ID != a.ID {
		return nil, fmt.Errorf("register agent %d: %w: the data directory is registered as agent %d; "+
			"start with that id", a.ID, ErrClaimed, other.ID)
	}
	a.Incarnation = s.Version + 1
	a.CleanStop, a.Fenced, a.ProducerIDs = false, false, ProducerIDRange{}
	if old, ok := s.agents[a.ID]; ok {
		if old.DiskUUID != a.DiskUUID && !old.CleanStop && old.Incarnation != c.Replaces {
			return nil, fmt.Errorf("register agent %d: %w %s, incarnation %d at %s",
				a.ID, ErrClaimed, old.DiskUUID, old.Incarnation, old.Advertised)
		}
		a.Incarnation = max(a.Incarnation, old.Incarnation+1)
		a.ProducerIDs = old.ProducerIDs
	}
	a.Roles = slices.Clone(a.Roles)
	n := s.clone()
	n.agents[a.ID] = &a
	return n, nil
}

func (a *Agent) validate() error {
	switch {
	case a.ID < 0:
		return fmt.Errorf("%w: an agent id is 0 or more", ErrInvalid)
	case a.DiskUUID == "" || len(a.DiskUUID) > 64:
		return fmt.Errorf("%w: disk uuid %q", ErrInvalid, a.DiskUUID)
	case len(a.Advertised) > 512 || len(a.Gossip) > 512 || len(a.HTTP) > 512 || len(a.Rack) > 512:
		return fmt.Errorf("%w: an address or the rack is longer than 512 bytes", ErrInvalid)
	case len(a.Roles) > 16:
		return fmt.Errorf("%w: %d roles", ErrInvalid, len(a.Roles))
	case a.FormatMax < 1:
		return fmt.Errorf("%w: head format %d", ErrInvalid, a.FormatMax)
	case a.ProducerIDs.Base < 0 || a.ProducerIDs.Next < a.ProducerIDs.Base:
		return fmt.Errorf("%w: producer ids %v", ErrInvalid, a.ProducerIDs)
	}
	return nil
}

// RequireIncarnation changes nothing and refuses when the agent is not this incarnation, or gone,
// or fenced: ErrSuperseded. Put before other changes it makes them the incarnation's own.
type RequireIncarnation struct {
	Agent       int32
	Incarnation int64
}

// Apply implements Change.
func (c RequireIncarnation) Apply(s *State) (*State, error) {
	a, ok := s.agents[c.Agent]
	if !ok {
		return nil, fmt.Errorf("agent %d: %w: its registration is gone", c.Agent, ErrSuperseded)
	}
	if a.Incarnation != c.Incarnation {
		return nil, fmt.Errorf("agent %d: %w: it is %d, the newest is %d, on disk %s at %s", c.Agent,
			ErrSuperseded, c.Incarnation, a.Incarnation, a.DiskUUID, a.Advertised)
	}
	return s, nil
}

// UpdateAgent changes an incarnation's addresses, which may be known only after it listens. Empty
// fields stay. ErrSuperseded, ErrInvalid.
type UpdateAgent struct {
	Agent            int32
	Incarnation      int64
	Advertised, HTTP string
	Gossip           string
}

// Apply implements Change.
func (c UpdateAgent) Apply(s *State) (*State, error) {
	return s.withAgent(c.Agent, c.Incarnation, func(a *Agent) {
		for _, f := range []struct {
			to   *string
			from string
		}{{&a.Advertised, c.Advertised}, {&a.HTTP, c.HTTP}, {&a.Gossip, c.Gossip}} {
			if f.from != "" {
				*f.to = f.from
			}
		}
	})
}

// MarkCleanStop records that an incarnation has flushed everything and ends: its id may be taken by
// another disk at once. ErrSuperseded.
type MarkCleanStop struct {
	Agent       int32
	Incarnation int64
}

// Apply implements Change.
func (c MarkCleanStop) Apply(s *State) (*State, error) {
	return s.withAgent(c.Agent, c.Incarnation, func(a *Agent) { a.CleanStop = true })
}

func (s *State) withAgent(id int32, incarnation int64, change func(*Agent)) (*State, error) {
	if _, err := (RequireIncarnation{Agent: id, Incarnation: incarnation}).Apply(s); err != nil {
		return nil, err
	}
	a := *s.agents[id]
	change(&a)
	if err := a.validate(); err != nil {
		return nil, fmt.Errorf("update agent %d: %w", id, err)
	}
	n := s.clone()
	n.agents[id] = &a
	return n, nil
}

// AllocateProducerIDs gives an agent the next block of ProducerIDBlock producer ids; it is then
// found in Agent.ProducerIDs. ErrUnknownAgent.
type AllocateProducerIDs struct{ Agent int32 }

// Apply implements Change.
func (c AllocateProducerIDs) Apply(s *State) (*State, error) {
	old, ok := s.agents[c.Agent]
	if !ok {
		return nil, fmt.Errorf("allocate producer ids: %w %d", ErrUnknownAgent, c.Agent)
	}
	a := *old
	next := s.ProducerIDNext + ProducerIDBlock
	a.ProducerIDs = ProducerIDRange{Base: s.ProducerIDNext, Next: next}
	n := s.clone()
	n.agents[c.Agent] = &a
	n.ProducerIDNext = next
	return n, nil
}

// StartLeading is what a start of an agent commits after or with its registration: it leads
// whatever it led, or led last, in new leader epochs. No restart resumes an epoch.
//
// With PossibleLoss the agent first leaves every ISR and ELR. A partition with other members then
// gets one of them as leader, if it is not fenced, else none; where nobody is left the agent leads
// all the same and Losses counts it.
type StartLeading struct {
	Agent int32
	// Incarnation is the agent's; 0: whichever is newest, for the same commit as its registration.
	Incarnation  int64
	PossibleLoss bool
}

// Apply implements Change. ErrSuperseded, ErrUnknownAgent.
func (c StartLeading) Apply(s *State) (*State, error) {
	if _, ok := s.agents[c.Agent]; !ok {
		return nil, fmt.Errorf("start leading: %w %d", ErrUnknownAgent, c.Agent)
	}
	if c.Incarnation != 0 {
		_, err := RequireIncarnation{Agent: c.Agent, Incarnation: c.Incarnation}.Apply(s)
		if err != nil {
			return nil, err
		}
	}
	n := s.clone()
	for id, t := range s.topics {
		var nt *Topic
		for i := range t.Partitions {
			p, changed := c.started(s, t.Partitions[i])
			if !changed {
				continue
			}
			if nt == nil {
				nt = t.clone()
			}
			nt.Partitions[i] = p
		}
		if nt != nil {
			n.topics[id] = nt
		}
	}
	return n, nil
}

func (c StartLeading) started(s *State, p Partition) (Partition, bool) {
	leads := p.Leader == c.Agent || p.Leader == NoAgent && p.LastLeader == c.Agent
	inSync := slices.Contains(p.ISR, c.Agent) || slices.Contains(p.ELR, c.Agent)
	if !leads && !(c.PossibleLoss && inSync) {
		return p, false
	}
	next := c.Agent
	if c.PossibleLoss {
		p.ISR, p.ELR = without(p.ISR, c.Agent), without(p.ELR, c.Agent)
		if len(p.ISR)+len(p.ELR) > 0 {
			next = s.firstUnfenced(slices.Concat(p.ISR, p.ELR))
		} else if leads {
			p.Losses++
			p.ISR = []int32{c.Agent}
		}
	}
	p.PartitionEpoch++
	if !leads {
		return p, true
	}
	if len(p.ISR) == 0 && next == c.Agent {
		p.ISR = []int32{c.Agent}
	}
	if next != NoAgent && !slices.Contains(p.ISR, next) {
		p.ISR, p.ELR = append(slices.Clone(p.ISR), next), without(p.ELR, next)
	}
	p.Leader, p.LeaderEpoch = next, p.LeaderEpoch+1
	if next != NoAgent {
		p.LastLeader = next
	}
	return p, true
}

func (s *State) firstUnfenced(ids []int32) int32 {
	for _, id := range ids {
		if a, ok := s.agents[id]; ok && !a.Fenced && !a.CleanStop {
			return id
		}
	}
	return NoAgent
}

func without(ids []int32, id int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(x int32) bool { return x == id })
}
