package driver

import (
	"context"
	"fmt"
)

func transactions(ctx context.Context, r *run) error {
	t, ok := r.c.(Transactional)
	if !ok {
		return Absent("transactions")
	}
	topic := r.name("transactions")
	if err := r.c.Create(ctx, topic, 2, nil); err != nil {
		return err
	}
	p, err := t.Transact(ctx, topic)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	defer p.Close()
	for _, each := range []deed{{"a", -1, true}, {"b", 3, false}, {"c", 7, true}} {
		if err := transact(ctx, r, p, each); err != nil {
			return fmt.Errorf("transaction %s: %w", each.letter, err)
		}
	}
	if err := checkTransactions(ctx, r); err != nil {
		return err
	}
	if err := checkOffset(ctx, r); err != nil {
		return err
	}
	return fence(ctx, t, p, r)
}

// deed is one transaction: 50 records whose values begin with the letter and, from 0 on, an offset.
type deed struct {
	letter string
	offset int64
	commit bool
}

func transact(ctx context.Context, r *run, p Transaction, d deed) error {
	topic := r.name("transactions")
	if err := p.Begin(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	var records []Record
	for i := range 50 {
		value := fmt.Appendf(nil, "%s%d", d.letter, i)
		records = append(records, Record{Partition: int32(i % 2), Value: value})
	}
	if err := p.Send(ctx, topic, records); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if d.offset >= 0 {
		if err := r.may(p.Offset(ctx, topic, topic, 0, d.offset)); err != nil {
			return fmt.Errorf("offset: %w", err)
		}
	}
	if d.commit {
		return p.Commit(ctx)
	}
	return p.Abort(ctx)
}

// checkTransactions reads with both isolation levels.
func checkTransactions(ctx context.Context, r *run) error {
	for _, committed := range []bool{true, false} {
		letters := []string{"a", "b", "c"}
		if committed {
			letters = []string{"a", "c"}
		}
		for partition := range 2 {
			var expected []Record
			for _, letter := range letters {
				for i := partition; i < 50; i += 2 {
					expected = append(expected, Record{Offset: -1, Value: fmt.Appendf(nil, "%s%d", letter, i)})
				}
			}
			got, err := r.c.Read(ctx, Read{
				Topic: r.name("transactions"), Partition: int32(partition), Committed: committed,
				N: len(expected) + 1, Wait: extraWait,
			})
			if err == nil {
				err = want(got, expected)
			}
			if err = r.may(err); err != nil {
				return fmt.Errorf("partition %d, read_committed %t: %w", partition, committed, err)
			}
		}
	}
	return nil
}

func checkOffset(ctx context.Context, r *run) error {
	a, ok := r.c.(Admin)
	if !ok {
		return nil
	}
	topic := r.name("transactions")
	got, err := a.Committed(ctx, GroupOffset{Group: topic, Topic: topic})
	if err == nil && got != 7 {
		err = fmt.Errorf("the committed offset is %d, want 7", got)
	}
	return r.may(err)
}

// fence takes the transactional id from p, which must notice.
func fence(ctx context.Context, t Transactional, p Transaction, r *run) error {
	second, err := t.Transact(ctx, r.name("transactions"))
	if err != nil {
		return fmt.Errorf("second producer: %w", err)
	}
	defer second.Close()
	err = transact(ctx, r, p, deed{"z", -1, true})
	switch {
	case err == nil:
		return fmt.Errorf("a fenced producer committed")
	case r.c.Code(err) != CodeFenced:
		return fmt.Errorf("a fenced producer got: %w", err)
	}
	return nil
}
