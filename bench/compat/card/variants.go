package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// static is the scenario of static members: a quick restart is no rebalance, and a name has one owner.
func (m *match) static(ctx context.Context) error {
	var all []*member
	for _, name := range []string{"A", "B", "C"} {
		one, err := m.join(ctx, name, "--instance", "i-"+name)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	a, b, c := all[0], all[1], all[2]
	if err := m.settle(ctx, joinTimeMax, a, b, c); err != nil {
		return fmt.Errorf("three join: %w", err)
	}
	before, _ := b.owned()
	_, changesA := a.owned()
	_, changesC := c.owned()
	if err := b.leave(); err != nil {
		return err
	}
	again, err := m.join(ctx, "B2", "--instance", "i-B")
	if err != nil {
		return err
	}
	if err := m.settle(ctx, joinTimeMax, a, again, c); err != nil {
		return fmt.Errorf("member B is back: %w", err)
	}
	if after, _ := again.owned(); !slices.Equal(before, after) {
		return fmt.Errorf("member B owned %v and owns %v after its restart", before, after)
	}
	_, nowA := a.owned()
	_, nowC := c.owned()
	if nowA != changesA || nowC != changesC {
		return fmt.Errorf(
			"the restart of B was a rebalance: A saw %d changes, C %d", nowA-changesA, nowC-changesC,
		)
	}
	if lacks := a.without(); len(lacks) > 0 {
		m.without = lacks
		_, err = m.finish(ctx, a, again, c)
		return err
	}
	second, err := m.join(ctx, "A2", "--instance", "i-A")
	if err != nil {
		return err
	}
	if err := m.fenced(ctx, a); err != nil {
		return err
	}
	if err := m.settle(ctx, joinTimeMax, second, again, c); err != nil {
		return fmt.Errorf("member A's name is taken: %w", err)
	}
	_, err = m.finish(ctx, second, again, c)
	return err
}

// fenced waits until a member has ended, or owns nothing any more.
func (m *match) fenced(ctx context.Context, one *member) error {
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	late := time.After(crashSeen)
	for {
		owned, _ := one.owned()
		if one.ended() || one.failure() != nil || len(owned) == 0 {
			one.kill()
			return nil
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("%s goes on although its instance name was taken", one.name)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cooperative is the scenario of a member that joins while the others go on.
func (m *match) cooperative(ctx context.Context) (string, error) {
	m.keepsKept = true
	all, err := m.joinAll(ctx, "A", "B")
	if err != nil {
		return "", err
	}
	a, b := all[0], all[1]
	if err := m.settle(ctx, joinTimeMax, a, b); err != nil {
		return "", fmt.Errorf("two join: %w", err)
	}
	begun := time.Now()
	beforeA, _ := a.owned()
	beforeB, _ := b.owned()
	c, err := m.join(ctx, "C")
	if err != nil {
		return "", err
	}
	if err := m.settle(ctx, joinTimeMax, a, b, c); err != nil {
		return "", fmt.Errorf("member C joins: %w", err)
	}
	until := time.Now()
	var pause time.Duration
	for _, each := range []struct {
		one    *member
		before []int32
	}{{a, beforeA}, {b, beforeB}} {
		longest, err := kept(each.one, each.before, begun, until)
		if err != nil {
			return "", err
		}
		pause = max(pause, longest)
	}
	note := fmt.Sprintf("longest pause of a kept partition %s", pause.Round(time.Millisecond))
	if pause > pauseTimeMax {
		return note, fmt.Errorf("%s", note)
	}
	more, err := m.finish(ctx, a, b, c)
	return note + "; " + more, err
}

// kept checks that a member never lost what it had before and after, and measures the longest pause
// between two records of such a partition.
func kept(one *member, before []int32, from, until time.Time) (time.Duration, error) {
	after, _ := one.owned()
	stays := slices.DeleteFunc(
		slices.Clone(before), func(p int32) bool { return !slices.Contains(after, p) },
	)
	if len(stays) == 0 {
		return 0, fmt.Errorf("%s kept none of %v", one.name, before)
	}
	last := map[int32]time.Time{}
	var longest time.Duration
	for _, e := range one.seen() {
		if e.at.Before(from) || e.at.After(until) {
			continue
		}
		switch {
		case e.Event == "record" && slices.Contains(stays, e.Partition):
			if t, ok := last[e.Partition]; ok {
				longest = max(longest, e.at.Sub(t))
			}
			last[e.Partition] = e.at
		case e.Event == "assigned":
			for _, p := range stays {
				if !slices.Contains(e.Partitions, p) {
					return longest, fmt.Errorf("%s lost partition %d, which it keeps, for a while: %v",
						one.name, p, e.Partitions)
				}
			}
		}
	}
	for _, p := range stays {
		if last[p].IsZero() {
			return longest, fmt.Errorf("%s got no record of partition %d, which it keeps", one.name, p)
		}
	}
	return longest, nil
}

// requestAt sends a request at no newer version than the last that this code knows.
func requestAt(ctx context.Context, s *server, r kmsg.Request, version int16) (kmsg.Response, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap), kgo.MaxVersions(ceiling(r.Key(), version)))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return cl.Request(ctx, r)
}
