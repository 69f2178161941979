package objstoretest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/varve-log/varve/internal/objstore"
)

const racers = 4

func testIfAbsent(t *testing.T, e env) {
	cond := objstore.Condition{IfAbsent: true}
	if _, err := e.Put(e.ctx, "k", objstore.Bytes([]byte("one")), cond); err != nil {
		t.Fatal(err)
	}
	_, err := e.Put(e.ctx, "k", objstore.Bytes([]byte("two")), cond)
	wantErr(t, "second create", err, objstore.ErrConflict)
	e.wantContent(t, "k", []byte("one"))
	if err := e.Delete(e.ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Put(e.ctx, "k", objstore.Bytes([]byte("three")), cond); err != nil {
		t.Fatalf("create after delete: %v", err)
	}
	e.wantContent(t, "k", []byte("three"))
}

func testIfMatch(t *testing.T, e env) {
	_, err := e.Put(e.ctx, "k", objstore.Bytes([]byte("zero")), objstore.Condition{
		IfMatch: "d41d8cd98f00b204e9800998ecf8427e",
	})
	wantErr(t, "swap of an absent object", err, objstore.ErrConflict)

	first := e.put(t, "k", []byte("one"))
	cond := objstore.Condition{IfMatch: first.ETag}
	second, err := e.Put(e.ctx, "k", objstore.Bytes([]byte("two")), cond)
	if err != nil {
		t.Fatalf("swap on the right ETag: %v", err)
	}
	_, err = e.Put(e.ctx, "k", objstore.Bytes([]byte("three")), cond)
	wantErr(t, "swap on a stale ETag", err, objstore.ErrConflict)
	e.wantContent(t, "k", []byte("two"))

	head, err := e.Head(e.ctx, "k")
	if err != nil || head.ETag != second.ETag {
		t.Fatalf("Head told ETag %s, %v after the swap told %s", head.ETag, err, second.ETag)
	}
	if err := e.Delete(e.ctx, "k"); err != nil {
		t.Fatal(err)
	}
	_, err = e.Put(e.ctx, "k", objstore.Bytes([]byte("four")), objstore.Condition{
		IfMatch: second.ETag,
	})
	wantErr(t, "swap of a deleted object", err, objstore.ErrConflict)
	_, err = e.Put(e.ctx, "k", objstore.Bytes(nil), objstore.Condition{IfAbsent: true, IfMatch: "x"})
	if err == nil {
		t.Fatal("a Put with both conditions succeeded")
	}
}

func testRaceToCreate(t *testing.T, e env) {
	for round := range e.rounds() {
		key := fmt.Sprintf("race/%d", round)
		winner, ok := e.race(t, func(racer int) error {
			_, err := e.Put(e.ctx, key, objstore.Bytes([]byte(name(racer))),
				objstore.Condition{IfAbsent: true})
			return err
		})
		if !ok {
			t.Fatalf("round %d: not one winner", round)
		}
		e.wantContent(t, key, []byte(name(winner)))
	}
}

func testRaceToSwap(t *testing.T, e env) {
	last := e.put(t, "k", []byte("start"))
	for round := range e.rounds() {
		var etag atomic.Value
		winner, ok := e.race(t, func(racer int) error {
			body := objstore.Bytes(fmt.Appendf(nil, "%s in %d", name(racer), round))
			info, err := e.Put(e.ctx, "k", body, objstore.Condition{IfMatch: last.ETag})
			if err == nil {
				etag.Store(info.ETag)
			}
			return err
		})
		if !ok {
			t.Fatalf("round %d: not one winner", round)
		}
		e.wantContent(t, "k", fmt.Appendf(nil, "%s in %d", name(winner), round))
		last.ETag = etag.Load().(string)
	}
}

func (e env) rounds() int {
	if e.suite.Rounds > 0 {
		return e.suite.Rounds
	}
	return 20
}

// race starts all racers at once and gives the one that won; the others must have lost surely.
func (e env) race(t *testing.T, try func(racer int) error) (winner int, ok bool) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, racers)
	for i := range racers {
		wg.Go(func() {
			<-start
			errs[i] = try(i)
		})
	}
	close(start)
	wg.Wait()
	wins := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winner = i
			wins++
		case !errors.Is(err, objstore.ErrConflict):
			t.Errorf("racer %d: %v", i, err)
		}
	}
	return winner, wins == 1
}

func name(racer int) string { return fmt.Sprintf("racer %d", racer) }
