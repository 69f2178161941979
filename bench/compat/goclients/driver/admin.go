package driver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const settleTimeMax = 10 * time.Second

func admin(ctx context.Context, r *run) error {
	a, ok := r.c.(Admin)
	if !ok {
		return Absent("admin calls")
	}
	for _, step := range []func(context.Context, *run, Admin) error{
		adminCreate, adminSettings, adminPartitions, adminRecords, adminGroup, adminDelete,
	} {
		if err := step(ctx, r, a); err != nil {
			return err
		}
	}
	return nil
}

// settles asks until the answer is yes, as changes take a moment to be seen.
func settles(ctx context.Context, what string, ask func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.After(settleTimeMax)
	for {
		yes, err := ask()
		if err != nil || yes {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("not within %s: %s", settleTimeMax, what)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func adminCreate(ctx context.Context, r *run, a Admin) error {
	topic := r.name("admin")
	settings := map[string]string{"retention.ms": "3600000", "cleanup.policy": "delete"}
	if err := r.c.Create(ctx, topic, 2, settings); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	switch err := r.c.Create(ctx, topic, 2, settings); {
	case err == nil:
		return fmt.Errorf("created a topic twice")
	case r.c.Code(err) != CodeExists:
		return fmt.Errorf("create again: %w", err)
	}
	err := settles(ctx, "the topic is listed", func() (bool, error) {
		topics, err := a.Topics(ctx)
		return slices.Contains(topics, topic), err
	})
	if err = r.may(err); err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	return hasPartitions(ctx, r, 2)
}

func hasPartitions(ctx context.Context, r *run, want int) error {
	return settles(ctx, fmt.Sprintf("%d partitions", want), func() (bool, error) {
		n, led, err := r.c.Partitions(ctx, r.name("admin"))
		return n == want && led == want, err
	})
}

func adminSettings(ctx context.Context, r *run, a Admin) error {
	check := func(retention string) error {
		got, err := a.Settings(ctx, r.name("admin"))
		if err != nil {
			return r.may(err)
		}
		if got["retention.ms"] != retention || got["cleanup.policy"] != "delete" {
			return fmt.Errorf("retention.ms is %q and cleanup.policy %q, want %s and delete",
				got["retention.ms"], got["cleanup.policy"], retention)
		}
		return nil
	}
	if err := check("3600000"); err != nil {
		return fmt.Errorf("describe settings: %w", err)
	}
	if err := a.Alter(ctx, r.name("admin"), "retention.ms", "7200000"); err != nil {
		if err = r.may(err); err != nil {
			return fmt.Errorf("alter settings: %w", err)
		}
		return nil
	}
	return settles(ctx, "the altered setting", func() (bool, error) { return check("7200000") == nil, nil })
}

func adminPartitions(ctx context.Context, r *run, a Admin) error {
	if err := a.AddPartitions(ctx, r.name("admin"), 4); err != nil {
		if err = r.may(err); err != nil {
			return fmt.Errorf("add partitions: %w", err)
		}
		return nil
	}
	return hasPartitions(ctx, r, 4)
}

func adminRecords(ctx context.Context, r *run, a Admin) error {
	topic := r.name("admin")
	var records []Record
	for i := range 10 {
		records = append(records, Record{Value: fmt.Appendf(nil, "d%d", i)})
	}
	if _, err := r.c.Produce(ctx, Produce{Topic: topic, Codec: "none", Records: records}); err != nil {
		return err
	}
	if err := a.DeleteRecords(ctx, topic, 0, 5); err != nil {
		if err = r.may(err); err != nil {
			return fmt.Errorf("delete records: %w", err)
		}
		return nil
	}
	start, err := r.c.OffsetFor(ctx, topic, 0, Earliest)
	if err == nil && start != 5 {
		err = fmt.Errorf("the earliest offset is %d, want 5", start)
	}
	return err
}

func adminGroup(ctx context.Context, r *run, a Admin) error {
	at := GroupOffset{Group: r.name("admin"), Topic: r.name("admin"), Offset: 6}
	if err := a.Commit(ctx, at); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	listed := func(want bool) error {
		return r.may(settles(ctx, fmt.Sprintf("group listed: %t", want), func() (bool, error) {
			groups, err := a.Groups(ctx)
			return slices.Contains(groups, at.Group) == want, err
		}))
	}
	if err := listed(true); err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	state, members, err := a.Describe(ctx, at.Group)
	if err == nil && (!strings.EqualFold(state, "empty") || members != 0) {
		err = fmt.Errorf("state %q with %d members, want Empty", state, members)
	}
	if err = r.may(err); err != nil {
		return fmt.Errorf("describe group: %w", err)
	}
	offset, err := a.Committed(ctx, at)
	if err == nil && offset != 6 {
		err = fmt.Errorf("it is %d, want 6", offset)
	}
	if err = r.may(err); err != nil {
		return fmt.Errorf("committed offset: %w", err)
	}
	if err := a.DeleteGroup(ctx, at.Group); err != nil {
		if err = r.may(err); err != nil {
			return fmt.Errorf("delete group: %w", err)
		}
		return nil
	}
	return listed(false)
}

func adminDelete(ctx context.Context, r *run, a Admin) error {
	if err := a.DeleteTopic(ctx, r.name("admin")); err != nil {
		return fmt.Errorf("delete topic: %w", err)
	}
	return r.may(settles(ctx, "the topic is gone", func() (bool, error) {
		topics, err := a.Topics(ctx)
		return !slices.Contains(topics, r.name("admin")), err
	}))
}
