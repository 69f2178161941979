package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
)

// TestNoSwapIsLostOrBelievedLost lets writers append names to one list in a head, over a store that
// fails at random and lets writes land late. At the end, after everything late has landed, each
// acknowledged append is in the list exactly once, and none that was reported lost is.
func TestNoSwapIsLostOrBelievedLost(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		if err := simulate(t, seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// writer is one process: it works on the head that it read last.
type writer struct {
	reg     *Register
	known   Head
	open    *UnknownError // to be settled
	pending string
}

func simulate(t *testing.T, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	store := faulty.New(mem.New())
	store.Random(seed, 0.3)
	cfg := testConfig()
	cfg.SettleTries = 2
	n := 0
	cfg.NewID = func() string { n++; return fmt.Sprintf("id%d", n) }
	writers := make([]*writer, 2+rng.IntN(3))
	for i := range writers {
		writers[i] = &writer{reg: New(store, "head", cfg)}
	}
	var result tally
	for step := range 60 {
		w := writers[rng.IntN(len(writers))]
		w.step(t, fmt.Sprintf("w%d", step), &result)
		if rng.IntN(4) == 0 {
			store.Land(t.Context())
		}
	}
	store.Quiet()
	store.Land(t.Context())
	for _, w := range writers {
		w.settle(t, &result)
	}
	store.Land(t.Context())
	return result.check(t, New(store, "head", cfg))
}

// tally is what the writers were told.
type tally struct{ won, lost []string }

// step settles what is open, reads and appends, as a caller of this package does.
func (w *writer) step(t *testing.T, name string, result *tally) {
	if w.settle(t, result); w.open != nil {
		return
	}
	h, err := w.reg.Read(t.Context())
	if err != nil && !errors.Is(err, ErrNotFound) {
		return
	}
	w.known, w.pending = h, name
	_, err = w.reg.Swap(t.Context(), h, appendName(h, name))
	w.note(err, result)
}

func (w *writer) settle(t *testing.T, result *tally) {
	if w.open != nil {
		_, err := w.reg.Settle(t.Context(), w.open.Attempt)
		w.note(err, result)
	}
}

func (w *writer) note(err error, result *tally) {
	w.open = nil
	switch {
	case err == nil:
		result.won = append(result.won, w.pending)
	case errors.As(err, &w.open):
	default:
		result.lost = append(result.lost, w.pending)
	}
}

func appendName(h Head, name string) json.RawMessage {
	raw, _ := json.Marshal(append(names(h), name))
	return raw
}

func names(h Head) []string {
	var list []string
	if h.Body != nil {
		_ = json.Unmarshal(h.Body, &list)
	}
	return list
}

func (r tally) check(t *testing.T, reg *Register) error {
	h, err := reg.Read(t.Context())
	if errors.Is(err, ErrNotFound) && len(r.won) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	list := names(h)
	for _, name := range r.won {
		if n := count(list, name); n != 1 {
			return fmt.Errorf("acknowledged %s is there %d times in %v", name, n, list)
		}
	}
	for _, name := range r.lost {
		if slices.Contains(list, name) {
			return fmt.Errorf("%s was reported lost and is in %v", name, list)
		}
	}
	return nil
}

func count(list []string, name string) int {
	n := 0
	for _, x := range list {
		if x == name {
			n++
		}
	}
	return n
}
