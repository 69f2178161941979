package cluster

import (
	"fmt"
	"time"
)

// Claim is an agent id that a starting agent wants.
type Claim struct {
	ID       int32
	DiskUUID string
	// SilenceMin is for how long the present holder must not answer, on the claimer's own monotonic
	// clock, before another disk may replace it. Default 10 s.
	SilenceMin time.Duration
	// TakeOver replaces a silent holder without waiting, since an operator said that it is gone. A
	// holder that answers is never replaced.
	TakeOver bool
}

// Observation is what the claimer has seen of the holder of its id.
type Observation struct {
	// Incarnation of the holder that was probed; 0: none was.
	Incarnation int64
	// Answered says that an agent of this cluster and of this id answered at the holder's address.
	Answered bool
	// SilentFor is how long probes of this incarnation went without an answer, 0 before the first
	// failed one.
	SilentFor time.Duration
}

// Verdict is what a claimer does next.
type Verdict int

// The verdicts.
const (
	// Register: commit RegisterAgent with Decision.Replaces.
	Register Verdict = iota
	// Probe: ask the holder at its addresses, count how long it is silent, refresh the state and
	// decide again.
	Probe
	// Refuse: do not start; Decision.Reason is a sentence for the operator.
	Refuse
)

// Decision is a Verdict with what it needs.
type Decision struct {
	Verdict Verdict
	// Replaces goes into RegisterAgent; 0 unless another disk is replaced.
	Replaces int64
	// Holder is the registration to probe, or that made the claim be refused.
	Holder *Agent
	// NewDisk says that the id moves to a disk that never had it: what the old disk held and no one
	// else has is lost (StartLeading with PossibleLoss), unless the holder stopped cleanly, in which
	// case all that was to be sealed is.
	NewDisk bool
	Reason  string
}

// Claim decides whether an agent may start under an id:
//
//   - Nobody has it, or the same disk: register. The older process, if it still runs, finds itself
//     superseded at its next commit or refresh and exits.
//   - Another disk has it and stopped cleanly: register.
//   - Another disk has it and did not stop cleanly: probe its addresses. If it answers, refuse. If
//     the same incarnation stays silent for SilenceMin (or TakeOver is given and one probe failed),
//     replace exactly that incarnation: should it be alive after all, unreachable from here,
//     compare-and-set and the new leader epochs stop what it does to the catalog, and it exits.
//
// A holder that registers anew while it is probed begins a new incarnation, so the count of silence
// starts again. No lease and no beat object is needed, so an idle cluster writes nothing.
func (s *State) Claim(c Claim, o Observation) Decision {
	if other, ok := s.AgentByDisk(c.DiskUUID); ok && other.ID != c.ID {
		return Decision{Verdict: Refuse, Holder: other, Reason: fmt.Sprintf(
			"this data directory is registered as agent %d, not %d: start it with that id, "+
				"or use an empty data directory", other.ID, c.ID)}
	}
	holder, ok := s.agents[c.ID]
	if !ok {
		return Decision{Verdict: Register}
	}
	if holder.DiskUUID == c.DiskUUID {
		return Decision{Verdict: Register, Holder: holder}
	}
	taken := Decision{
		Verdict: Register, Replaces: holder.Incarnation, Holder: holder, NewDisk: true,
	}
	if holder.CleanStop {
		return taken
	}
	probed := o.Incarnation == holder.Incarnation
	switch {
	case probed && o.Answered:
		return Decision{Verdict: Refuse, Holder: holder, Reason: fmt.Sprintf(
			"agent id %d belongs to an agent that is alive at %s with another data directory: "+
				"stop it first, or start this one with another id", c.ID, holder.Advertised)}
	case probed && o.SilentFor >= c.SilenceMin, probed && c.TakeOver && o.SilentFor > 0:
		return taken
	default:
		return Decision{Verdict: Probe, Holder: holder}
	}
}
