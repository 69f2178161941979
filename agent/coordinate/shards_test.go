package coordinate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// ledger is a machine that keeps the last value of each key, and those of open transactions apart.
type ledger struct {
	values  map[string]string
	pending map[kafka.ProducerID]map[string]string
	held    coordinator.Token
	due     time.Time
	ticks   int
}

func newLedger(int32, int32) *ledger {
	return &ledger{
		values: map[string]string{}, pending: map[kafka.ProducerID]map[string]string{},
	}
}

func (l *ledger) Replay(r coordinator.Stored) error {
	if string(r.Key) == "unknown" {
		return errors.New("no such key")
	}
	to := l.values
	if r.Transactional {
		if l.pending[r.Producer.ID] == nil {
			l.pending[r.Producer.ID] = map[string]string{}
		}
		to = l.pending[r.Producer.ID]
	}
	to[string(r.Key)] = string(r.Value)
	return nil
}

func (l *ledger) ReplayEnd(p coordinator.Producer, commit bool) {
	if commit {
		for k, v := range l.pending[p.ID] {
			l.values[k] = v
		}
	}
	delete(l.pending, p.ID)
}

func (l *ledger) Loaded(time.Time) coordinator.Effects { return coordinator.Effects{} }

func (l *ledger) Due() time.Time { return l.due }

func (l *ledger) Tick(now time.Time) coordinator.Effects {
	l.ticks++
	l.due = time.Time{}
	var e coordinator.Effects
	if l.held != 0 {
		e.Answer(l.held, "held")
		l.held = 0
	}
	return e
}

func (l *ledger) set(to coordinator.Token, k, v string) coordinator.Effects {
	l.values[k] = v
	e := coordinator.Effects{
		Records: []coordinator.Record{{Key: []byte(k), Value: []byte(v)}},
		Actions: []any{k},
	}
	e.Answer(to, v)
	return e
}

// memLog is a partition in memory; commits may be held back, appends may fail.
type memLog struct {
	api.Partition
	mu       sync.Mutex
	data     []byte
	end      kafka.Offset
	hold     bool
	fail     error
	failRead error
	waiting  []func(error)
}

func (m *memLog) LeaderEpoch() kafka.LeaderEpoch { return 3 }

func (m *memLog) Append(b []byte, o api.AppendOptions) (api.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return api.Appended{}, m.fail
	}
	if !o.Coordinator {
		return api.Appended{}, errors.New("not as a coordinator")
	}
	for rest := b; len(rest) > 0; {
		one, more, err := record.Next(rest)
		if err != nil {
			return api.Appended{}, err
		}
		one.SetBaseOffset(m.end)
		m.end, rest = one.NextOffset(), more
	}
	m.data = append(m.data, b...)
	return api.Appended{NextOffset: m.end}, nil
}

func (m *memLog) OnCommitted(_ kafka.Offset, fn func(error)) {
	m.mu.Lock()
	if m.hold {
		m.waiting = append(m.waiting, fn)
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	fn(nil)
}

// commit ends the hold.
func (m *memLog) commit(err error) {
	m.mu.Lock()
	m.hold = false
	all := m.waiting
	m.waiting = nil
	m.mu.Unlock()
	for _, fn := range all {
		fn(err)
	}
}

func (m *memLog) Offsets() api.Offsets {
	m.mu.Lock()
	defer m.mu.Unlock()
	return api.Offsets{LogEnd: m.end, HighWatermark: m.end}
}

func (m *memLog) Fetch(_ context.Context, r api.FetchRange) (api.FetchData, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failRead != nil {
		return api.FetchData{}, m.failRead
	}
	rest := m.data
	for len(rest) > 0 {
		b, more, _ := record.Next(rest)
		if b.LastOffset() >= r.From {
			return api.FetchData{Records: [][]byte{b}}, nil
		}
		rest = more
	}
	return api.FetchData{}, nil
}

func (m *memLog) set(fail error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = fail
}

func led(t *testing.T, log *memLog) (*Shards[*ledger], *[]string) {
	t.Helper()
	var acted []string
	s := New(Parts[*ledger]{
		Topic: "__test", New: newLedger,
		Act: func(_ int32, actions []any) {
			for _, a := range actions {
				acted = append(acted, a.(string))
			}
		},
	})
	t.Cleanup(s.Close)
	s.Lead(0, log)
	synctest.Wait()
	return s, &acted
}

func put(ctx context.Context, s *Shards[*ledger], k, v string) (string, error) {
	return Answer[string](s.Ask(ctx, 0,
		func(l *ledger, _ time.Time, to coordinator.Token) coordinator.Effects { return l.set(to, k, v) }))
}

func get(t *testing.T, s *Shards[*ledger], k string) string {
	t.Helper()
	got, err := Answer[string](s.Ask(t.Context(), 0,
		func(l *ledger, _ time.Time, to coordinator.Token) (e coordinator.Effects) {
			e.Answer(to, l.values[k])
			return e
		}))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRepliesAndActionsFollowTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		s, acted := led(t, log)
		if v, err := put(t.Context(), s, "a", "1"); v != "1" || err != nil {
			t.Fatal(v, err)
		}
		log.hold = true
		var answered atomic.Int32
		for i := range 3 {
			go func() {
				if _, err := put(t.Context(), s, "k"+strconv.Itoa(i), "2"); err == nil {
					answered.Add(1)
				}
			}()
		}
		synctest.Wait()
		if answered.Load() != 0 || len(*acted) != 1 {
			t.Fatalf("%d answered before the commit, acted on %v", answered.Load(), *acted)
		}
		log.commit(nil)
		synctest.Wait()
		if answered.Load() != 3 || len(*acted) != 4 {
			t.Fatalf("%d answered, acted on %v", answered.Load(), *acted)
		}
	})
}

func TestALoadFindsWhatWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		s, _ := led(t, log)
		for i := range 10 {
			if _, err := put(t.Context(), s, fmt.Sprint(i%4), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := put(t.Context(), s, "unknown", ""); err != nil {
			t.Fatal(err)
		}
		again, _ := led(t, log)
		for k, want := range map[string]string{"0": "8", "1": "9", "2": "6", "3": "7", "unknown": ""} {
			if got := get(t, again, k); got != want {
				t.Errorf("%s: %q, want %q", k, got, want)
			}
		}
	})
}

func TestTransactionalRecordsCountAfterTheirMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		s, _ := led(t, log)
		write := func(e coordinator.Effects) {
			if err := s.Tell(0, func(*ledger, time.Time) coordinator.Effects { return e }); err != nil {
				t.Fatal(err)
			}
		}
		for id := range kafka.ProducerID(2) {
			p := coordinator.Producer{ID: id, Epoch: 1}
			key := []byte(fmt.Sprint(id))
			write(coordinator.Effects{
				Records: []coordinator.Record{{Key: key, Value: []byte("v")}}, Transaction: &p,
			})
			write(coordinator.Effects{Marker: &coordinator.Marker{Producer: p, Commit: id == 1}})
		}
		again, _ := led(t, log)
		if a, c := get(t, again, "0"), get(t, again, "1"); a != "" || c != "v" {
			t.Errorf("aborted %q, committed %q", a, c)
		}
	})
}

func TestAFailedAppendLoadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		s, _ := led(t, log)
		if _, err := put(t.Context(), s, "a", "1"); err != nil {
			t.Fatal(err)
		}
		held := make(chan error, 1)
		go func() {
			_, err := s.Ask(t.Context(), 0,
				func(l *ledger, _ time.Time, to coordinator.Token) coordinator.Effects {
					l.held = to
					return coordinator.Effects{}
				})
			held <- err
		}()
		synctest.Wait()
		log.set(api.ErrDiskFull)
		if _, err := put(t.Context(), s, "a", "2"); !errors.Is(err, coordinator.ErrNotAvailable) {
			t.Fatal(err)
		}
		if err := <-held; !errors.Is(err, coordinator.ErrNotAvailable) {
			t.Fatal(err)
		}
		log.set(nil)
		synctest.Wait()
		if got := get(t, s, "a"); got != "1" {
			t.Errorf("%q is left of an append that failed", got)
		}
	})
}

func TestAnUncommittedReplyIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		s, acted := led(t, log)
		log.hold = true
		lost := make(chan error, 1)
		go func() {
			_, err := put(t.Context(), s, "a", "1")
			lost <- err
		}()
		synctest.Wait()
		log.commit(api.ErrNotLeader)
		if err := <-lost; !errors.Is(err, coordinator.ErrNotCoordinator) || len(*acted) != 0 {
			t.Fatal(err, *acted)
		}
	})
}

func TestResignEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := led(t, &memLog{})
		held := make(chan error, 1)
		go func() {
			_, err := s.Ask(t.Context(), 0,
				func(*ledger, time.Time, coordinator.Token) coordinator.Effects {
					return coordinator.Effects{}
				})
			held <- err
		}()
		synctest.Wait()
		s.Resign(0)
		if err := <-held; !errors.Is(err, coordinator.ErrNotCoordinator) {
			t.Fatal(err)
		}
		if _, err := put(t.Context(), s, "a", "1"); !errors.Is(err, coordinator.ErrNotCoordinator) {
			t.Fatal(err)
		}
	})
}

func TestTicksComeWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := led(t, &memLog{})
		begun := time.Now()
		_, err := s.Ask(t.Context(), 0,
			func(l *ledger, now time.Time, to coordinator.Token) coordinator.Effects {
				l.held, l.due = to, now.Add(3*time.Second)
				return coordinator.Effects{}
			})
		if took := time.Since(begun); err != nil || took != 3*time.Second {
			t.Fatal(took, err)
		}
	})
}

func TestALogThatCannotBeReadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &memLog{}
		s, _ := led(t, first)
		if _, err := put(t.Context(), s, "a", "1"); err != nil {
			t.Fatal(err)
		}
		log := &memLog{data: first.data, end: first.end, failRead: api.ErrBucket}
		s.Lead(0, log)
		synctest.Wait()
		if _, err := put(t.Context(), s, "b", "1"); !errors.Is(err, coordinator.ErrLoading) {
			t.Fatal(err)
		}
		if loading := s.Each(func(int32, *ledger, time.Time) { t.Error("looked") }); len(loading) != 1 {
			t.Error(loading)
		}
		log.mu.Lock()
		log.failRead = nil
		log.mu.Unlock()
		time.Sleep(time.Minute)
		if got := get(t, s, "a"); got != "1" {
			t.Error(got)
		}
	})
}
