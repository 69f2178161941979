package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	groupPartitions = 6
	groupTimeMax    = 100 * time.Second
	joinTimeMax     = 30 * time.Second
	// sessionTime is the members' session timeout. Leaving has to be quicker, or it was none.
	sessionTime  = 6 * time.Second
	leaveSeen    = 5 * time.Second
	crashSeen    = sessionTime + 8*time.Second
	quietTime    = 700 * time.Millisecond
	pollTime     = 20 * time.Millisecond
	deliverTime  = 20 * time.Second
	pauseTimeMax = 3 * time.Second
)

// match is one group scenario under way.
type match struct {
	s         *server
	p         plug
	topic     string
	args      []string // of every member
	feed      *feed
	members   []*member // all that ever were, in the order of their start
	keepsKept bool      // what stays assigned is not taken away in between
	without   []string  // what the library lacks for some step
}

// referee runs one group scenario of one client.
func referee(ctx context.Context, s *server, p plug, scenario, prefix string) result {
	if !p.Members {
		return p.result(scenario, "absent", p.MembersAbsent)
	}
	ctx, cancel := context.WithTimeout(ctx, groupTimeMax)
	defer cancel()
	begun := time.Now()
	m := &match{s: s, p: p, topic: prefix + "." + scenario}
	m.args = []string{"--group", m.topic, "--topic", m.topic}
	var note string
	err := m.begin(ctx)
	if err == nil {
		switch scenario {
		case "group":
			note, err = m.group(ctx)
		case "static":
			err = m.static(ctx)
		case "cooperative":
			m.args = append(m.args, "--assignor", "cooperative")
			note, err = m.cooperative(ctx)
		case "kip848":
			m.args = append(m.args, "--protocol", "consumer")
			note, err = m.kip848(ctx)
		}
	}
	m.end()
	if note != "" {
		progress("%-26s %-13s %s", p.name(), scenario, note)
	}
	r := p.result(scenario, "pass", "")
	r.Millis = time.Since(begun).Milliseconds()
	if len(m.without) > 0 {
		r.Detail = "no " + strings.Join(m.without, ", no ")
	}
	var absent absentError
	switch {
	case errors.As(err, &absent):
		r.Result, r.Detail = "absent", string(absent)
	case err != nil:
		r.Result, r.Detail = "fail", err.Error()
	}
	return r
}

func (m *match) begin(ctx context.Context) error {
	if err := m.s.create(ctx, m.topic, groupPartitions); err != nil {
		return fmt.Errorf("create topic: %w", err)
	}
	m.feed = startFeed(ctx, m.s, m.topic)
	for p := int32(0); p < groupPartitions; {
		if m.feed.end(p) > 0 { // the topic is known everywhere once records are in all partitions
			p++
			continue
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (m *match) end() {
	if m.feed != nil {
		_ = m.feed.stop()
	}
	for _, each := range m.members {
		if !each.ended() {
			each.kill()
		}
	}
}

func (m *match) join(ctx context.Context, name string, more ...string) (*member, error) {
	one, err := startMember(ctx, m.s, m.p, name, slices.Concat(m.args, more)...)
	if err == nil {
		m.members = append(m.members, one)
	}
	return one, err
}

func (m *match) joinAll(ctx context.Context, names ...string) ([]*member, error) {
	var all []*member
	for _, name := range names {
		one, err := m.join(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// settle waits until the members share all partitions evenly, and nothing changed for a while.
func (m *match) settle(ctx context.Context, within time.Duration, members ...*member) error {
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	begun := time.Now()
	var since time.Time
	last := -1
	for {
		text, changes, even := m.shares(members)
		for _, each := range members {
			if err := each.failure(); err != nil {
				return err
			}
		}
		switch {
		case !even:
			since = time.Time{}
		case since.IsZero() || changes != last:
			since, last = time.Now(), changes
		case time.Since(since) >= quietTime:
			return nil
		}
		if since.IsZero() && time.Since(begun) > within {
			return fmt.Errorf("not settled within %s: %s", within, text)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// shares tells who owns what, and whether that is an even share of everything.
func (m *match) shares(members []*member) (text string, changes int, even bool) {
	var all []int32
	even = true
	for _, each := range members {
		owned, n := each.owned()
		text += fmt.Sprintf("%s %v ", each.name, owned)
		even = even && len(owned) == groupPartitions/len(members)
		all = append(all, owned...)
		changes += n
	}
	slices.Sort(all)
	return text, changes, even && len(slices.Compact(all)) == groupPartitions
}

// group is the scenario of that name: join, leave, crash, join.
func (m *match) group(ctx context.Context) (string, error) {
	all, err := m.joinAll(ctx, "A", "B", "C")
	if err != nil {
		return "", err
	}
	a, b, c := all[0], all[1], all[2]
	if err := m.settle(ctx, joinTimeMax, a, b, c); err != nil {
		return "", fmt.Errorf("three join: %w", err)
	}
	if err := b.leave(); err != nil {
		return "", err
	}
	if err := m.settle(ctx, leaveSeen, a, c); err != nil {
		return "", fmt.Errorf("member B left: %w", err)
	}
	c.kill()
	if err := m.settle(ctx, crashSeen, a); err != nil {
		return "", fmt.Errorf("member C was killed: %w", err)
	}
	d, err := m.join(ctx, "D")
	if err != nil {
		return "", err
	}
	if err := m.settle(ctx, joinTimeMax, a, d); err != nil {
		return "", fmt.Errorf("member D joins: %w", err)
	}
	return m.finish(ctx, a, d)
}

// finish stops the writing, waits for the rest, has the last members leave, and audits.
func (m *match) finish(ctx context.Context, last ...*member) (string, error) {
	if err := m.feed.stop(); err != nil {
		return "", fmt.Errorf("writing records: %w", err)
	}
	if err := m.drain(ctx); err != nil {
		return "", err
	}
	if m.p.Drops {
		m.without = append(m.without, "delivery of the record in hand when told to stop")
	}
	for _, each := range last {
		if err := each.leave(); err != nil {
			return "", err
		}
	}
	if err := m.checkCommitted(ctx); err != nil {
		return "", err
	}
	return m.audit()
}

// drain waits until every record was delivered.
func (m *match) drain(ctx context.Context) error {
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	late := time.After(deliverTime)
	for {
		missing := m.undelivered()
		if m.p.Drops && len(missing) <= m.left() {
			return nil
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("%d of %d records were not delivered, the first is %v",
				len(missing), m.feed.total(), missing[0])
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// left counts the members that were told to leave and did.
func (m *match) left() (n int) {
	for _, one := range m.members {
		if all := one.seen(); one.ended() && len(all) > 0 && all[len(all)-1].Event == "left" {
			n++
		}
	}
	return n
}

// checkCommitted compares the committed offsets with the end offsets.
func (m *match) checkCommitted(ctx context.Context) error {
	r := kmsg.NewPtrOffsetFetchRequest()
	t := kmsg.NewOffsetFetchRequestTopic()
	g := kmsg.NewOffsetFetchRequestGroup()
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	r.Group, g.Group, t.Topic, gt.Topic = m.topic, m.topic, m.topic, m.topic
	for p := range int32(groupPartitions) {
		t.Partitions, gt.Partitions = append(t.Partitions, p), append(gt.Partitions, p)
	}
	g.Topics = append(g.Topics, gt)
	r.Topics, r.Groups = append(r.Topics, t), append(r.Groups, g)
	const lastWithNames = 9
	resp, err := requestAt(ctx, m.s, r, lastWithNames)
	if err != nil {
		return err
	}
	got := resp.(*kmsg.OffsetFetchResponse)
	if err := kerr.ErrorForCode(got.Groups[0].ErrorCode); err != nil {
		return fmt.Errorf("committed offsets: %w", err)
	}
	for _, p := range got.Groups[0].Topics[0].Partitions {
		if end := m.feed.end(p.Partition); p.Offset != end {
			return fmt.Errorf(
				"the committed offset of partition %d is %d, its end %d", p.Partition, p.Offset, end,
			)
		}
	}
	return nil
}

// kip848 is group with the consumer protocol, and says so when asked.
func (m *match) kip848(ctx context.Context) (string, error) {
	m.keepsKept = true
	note, err := m.group(ctx)
	if err != nil {
		return note, err
	}
	r := kmsg.NewPtrListGroupsRequest()
	r.TypesFilter = []string{"consumer"}
	for _, shard := range m.s.cl.RequestSharded(ctx, r) {
		if shard.Err != nil {
			return note, shard.Err
		}
		for _, g := range shard.Resp.(*kmsg.ListGroupsResponse).Groups {
			if g.Group == m.topic && g.GroupType == "consumer" {
				return note, nil
			}
		}
	}
	return note, errors.New("the group is not listed as of type consumer")
}
