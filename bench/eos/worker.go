package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the value of an output record says of it.
const (
	good   = "good"
	doomed = "doomed" // of a transaction that its worker aborts
)

const (
	pollMax = 200
	// abortPercent is how often a worker aborts on purpose.
	abortPercent = 10
)

// runWorker is the life of one worker. Any error ends it, and its parent starts it again.
func runWorker(args []string) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	bootstrap := flags.String("bootstrap", "", "address of the agent")
	id := flags.Int("id", 0, "number of the worker")
	seed := flags.Uint64("seed", 0, "seed of this life")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(*bootstrap), kgo.TransactionalID(fmt.Sprintf("eos-%d", *id)),
		kgo.TransactionTimeout(10*time.Second), kgo.ConsumerGroup(group), kgo.ConsumeTopics(input),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.DefaultProduceTopic(output), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.UnknownTopicRetries(-1),
	)
	if err != nil {
		return err
	}
	defer s.Close()
	// So that it learns of transaction version 2, if the agent is there now.
	_ = s.Client().Ping(ctx)
	w := worker{session: s, rng: rand.New(rand.NewPCG(*seed, 1))}
	for ctx.Err() == nil {
		if err := w.transaction(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "%s worker %d ends: %v\n", time.Now().Format(time.TimeOnly), *id, err)
			return err
		}
	}
	return nil
}

type worker struct {
	session *kgo.GroupTransactSession
	rng     *rand.Rand
}

// transaction moves some records. What was begun is ended whatever ctx says.
func (w *worker) transaction(ctx context.Context) error {
	poll, cancel := context.WithTimeout(ctx, time.Second)
	fetches := w.session.PollRecords(poll, 1+w.rng.IntN(pollMax))
	cancel()
	if fetches.NumRecords() == 0 {
		return nil
	}
	if err := w.session.Begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	value := good
	if w.rng.IntN(100) < abortPercent {
		value = doomed
	}
	var failed atomic.Pointer[error]
	background := context.Background()
	fetches.EachRecord(func(r *kgo.Record) {
		out := &kgo.Record{Key: r.Key, Value: append([]byte(value), make([]byte, 200)...)}
		w.session.Produce(background, out, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	})
	if err := w.session.Client().Flush(background); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	w.dawdle(ctx)
	end := kgo.TransactionEndTry(value == good && failed.Load() == nil)
	if _, err := w.session.End(background, end); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	return nil
}

// dawdle keeps a transaction open for a moment, so that kills meet it.
func (w *worker) dawdle(ctx context.Context) {
	timer := time.NewTimer(time.Duration(w.rng.IntN(40)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
