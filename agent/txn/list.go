package txn

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Description is what DescribeTransactions shows of a transactional id.
type Description struct {
	ID       string
	Producer coordinator.Producer
	State    State
	Timeout  time.Duration
	// Started is when the transaction began, or NoTimestamp.
	Started kafka.Timestamp
	// Partitions of the transaction; of one that ends, those that lack their marker.
	Partitions []Partition
}

// Describe answers with the Description of an id, or refuses with ErrNotFound.
func (m *Machine) Describe(_ time.Time, to coordinator.Token, id string) (eff coordinator.Effects) {
	if id == "" {
		eff.Refuse(to, ErrInvalidTransactionalID)
		return eff
	}
	e := m.ids[id]
	if e == nil {
		eff.Refuse(to, ErrNotFound)
		return eff
	}
	d := Description{
		ID: id, Producer: e.producer, State: e.state, Started: e.started,
		Timeout:    time.Duration(e.timeoutMs) * time.Millisecond,
		Partitions: e.partitions.sorted(),
	}
	if e.state.ending() {
		d.Partitions = e.unmarked.sorted()
	}
	eff.Answer(to, d)
	return eff
}

// ListRequest says which transactional ids to list. Each empty filter lets all pass.
type ListRequest struct {
	States      []string
	ProducerIDs []kafka.ProducerID
	// Duration lists transactions that began longer ago; negative: all.
	Duration time.Duration
	// Pattern is a regular expression (RE2) that the whole id matches.
	Pattern string
}

// Filter is a ListRequest that was checked.
type Filter struct {
	states    map[State]bool
	producers []kafka.ProducerID
	duration  time.Duration
	pattern   *regexp.Regexp
	// Unknown are the names of states that there are not.
	Unknown []string
}

// NewFilter checks a request. ErrInvalidPattern: its pattern does not parse.
func NewFilter(q ListRequest) (*Filter, error) {
	f := &Filter{producers: q.ProducerIDs, duration: q.Duration}
	if len(q.States) > 0 {
		f.states = map[State]bool{}
	}
	for _, name := range q.States {
		if s, ok := StateOf(name); ok {
			f.states[s] = true
		} else {
			f.Unknown = append(f.Unknown, name)
		}
	}
	if q.Pattern != "" {
		re, err := regexp.Compile(`\A(?:` + q.Pattern + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidPattern, err)
		}
		f.pattern = re
	}
	return f, nil
}

func (f *Filter) passes(e *entry, now kafka.Timestamp) bool {
	switch {
	case len(f.producers) > 0 && !slices.Contains(f.producers, e.producer.ID):
		return false
	case f.states != nil && !f.states[e.state]:
		return false
	case f.duration >= 0 && int64(now-e.started) <= f.duration.Milliseconds():
		return false
	}
	return f.pattern == nil || f.pattern.MatchString(e.id)
}

// Listing is one line of ListTransactions.
type Listing struct {
	ID         string
	ProducerID kafka.ProducerID
	State      State
}

// List gives the ids that pass a filter, in the order of ids.
func (m *Machine) List(now time.Time, f *Filter) []Listing {
	var out []Listing
	for _, e := range byID(m.ids) {
		if f.passes(e, kafka.TimestampOf(now)) {
			out = append(out, Listing{ID: e.id, ProducerID: e.producer.ID, State: e.state})
		}
	}
	return out
}
