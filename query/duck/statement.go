//go:build cgo

package duck

import (
	"context"
	"errors"
	"sync"

	"github.com/varve-log/varve/query/table"
)

// statement is one statement under way. DuckDB's callbacks find it through the DB; its context is
// kept here because they cannot be given one.
type statement struct {
	ctx    context.Context
	cancel context.CancelFunc
	src    table.Source
	o      Options

	mu     sync.Mutex
	topics map[string]*table.Topic // found so far; nil: no such topic
	refs   []string                // topics of the references, in the binder's order
	plan   []string                // refs of the plan that bounds come from
	bounds map[int64]table.Bounds  // by number of the reference, from 1; nil: no plan
	scans  []*scan
	err    error // the first error of a callback
}

func newStatement(ctx context.Context, src table.Source, o Options) *statement {
	st := &statement{src: src, o: o, topics: make(map[string]*table.Topic)}
	st.ctx, st.cancel = context.WithCancel(ctx)
	return st
}

// fail keeps the first error and stops all reads.
func (st *statement) fail(err error) {
	st.mu.Lock()
	if st.err == nil {
		st.err = err
	}
	st.mu.Unlock()
	st.cancel()
}

// failure is the first error of a callback.
func (st *statement) failure() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err
}

// topic finds a topic once per statement; nil when there is none.
func (st *statement) topic(name string) (*table.Topic, error) {
	st.mu.Lock()
	t, known := st.topics[name]
	st.mu.Unlock()
	if known {
		return t, nil
	}
	found, err := st.src.Topic(st.ctx, name)
	switch {
	case err == nil:
		t = &found
	case !errors.Is(err, table.ErrUnknownTopic):
		st.fail(err)
		return nil, err
	}
	st.mu.Lock()
	st.topics[name] = t
	st.mu.Unlock()
	return t, nil
}

func (st *statement) isTopic(name string) bool {
	t, err := st.topic(name)
	return err == nil && t != nil
}

// nextReference numbers the next reference to a topic, from 1 in each planning of the statement.
func (st *statement) nextReference(topic string) int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.refs = append(st.refs, topic)
	return int64(len(st.refs))
}

// replan begins to number references from 1 again.
func (st *statement) replan() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.refs = nil
}

// setBounds takes over the bounds of the planning that just ended.
func (st *statement) setBounds(b map[int64]table.Bounds) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.plan, st.bounds = st.refs, b
}

// reference resolves one reference when the binder comes to it.
func (st *statement) reference(name string, number int64) (*reference, error) {
	t, err := st.topic(name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, table.ErrUnknownTopic
	}
	ref := &reference{st: st, topic: *t, bounds: table.All()}
	st.mu.Lock()
	defer st.mu.Unlock()
	if 1 <= number && number <= int64(len(st.plan)) && st.plan[number-1] == name {
		if b, ok := st.bounds[number]; ok {
			ref.bounds, ref.pruning = b, true
		}
	}
	return ref, nil
}

// report sums up what was read so far.
func (st *statement) report() Report {
	st.mu.Lock()
	defer st.mu.Unlock()
	r := Report{Scans: []ScanReport{}, Traffic: st.src.Traffic()}
	for _, s := range st.scans {
		r.Scans = append(r.Scans, s.snapshot())
	}
	return r
}

// reference is one place in the statement that names a topic.
type reference struct {
	st      *statement
	topic   table.Topic
	bounds  table.Bounds
	pruning bool
}

func (r *reference) drop() {}
