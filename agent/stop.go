package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-log/varve/catalog/cluster"
)

const (
	// drainTimeMax bounds how long answers that are due may take to leave.
	drainTimeMax = 5 * time.Second
	// markTimeMax bounds the last commit, which only says that this stop was in order.
	markTimeMax = 5 * time.Second
)

// Stop ends the agent in order: no new requests, answers leave, what no other replica holds is sealed
// within the configured time, logs are flushed, so that a start finds nothing to recover. The error
// says what was not done.
func (a *Agent) Stop() error {
	a.stopOnce.Do(func() { a.stopErr = a.stop() })
	return a.stopErr
}

func (a *Agent) stop() error {
	drain, cancel := context.WithTimeout(context.Background(), drainTimeMax)
	defer cancel()
	var errs []error
	if a.admin != nil {
		errs = append(errs, a.admin.Close(drain))
	}
	a.closeCoordinators()
	if err := a.broker.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		errs = append(errs, err)
	}
	sealed := a.sealRest()
	a.cancel()
	a.stopSeal()
	<-a.sealing
	<-a.saving
	_ = a.workers.Wait() // the functions return nil
	a.reads.Close()
	closed := a.closePartitions()
	if closed == nil {
		errs = append(errs, a.markStopped(sealed))
	}
	errs = append(errs, closed, a.closeRest())
	return errors.Join(errs...)
}

// sealRest seals and saves what is not in the bucket yet and reports whether everything is: whether
// the local disk may be lost without losing records.
func (a *Agent) sealRest() bool {
	if a.cfg.StopSealTimeMax == 0 || a.catalog.Superseded() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.StopSealTimeMax)
	defer cancel()
	saved := make(chan error, 1)
	go func() { saved <- a.saver.Flush(ctx) }()
	for _, r := range a.sealer.SealAll(ctx) {
		if r.Err != nil {
			a.logger.Warn("not sealed before the stop, the local disk holds the rest",
				"topic_id", r.TP.Topic.Hex(), "partition", r.TP.Partition,
				"verified_end", r.VerifiedEnd, "err", r.Err)
		}
	}
	if err := <-saved; err != nil {
		a.logger.Warn("compacted logs not saved before the stop, the local disk holds the rest",
			"err", err)
	}
	return a.allSealed()
}

// allSealed looks at every partition, also those that are kept on local disk only or were never in
// the sealer's care.
func (a *Agent) allSealed() bool {
	a.followMu.Lock()
	offline := len(a.offline)
	a.followMu.Unlock()
	for tp, p := range a.topology.Load().open {
		log := p.Log()
		if log.LogEndOffset() > max(p.VerifiedEnd(), log.LogStartOffset(), a.saver.SavedEnd(tp)) {
			return false
		}
	}
	return offline == 0
}

// markStopped records the orderly stop on the disk, and in the catalog if the disk may be lost without
// losing records. The catalog's mark only saves a later start on another disk some waiting.
func (a *Agent) markStopped(sealed bool) error {
	if err := a.dir.MarkCleanStop(); err != nil {
		return err
	}
	if !sealed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), markTimeMax)
	defer cancel()
	_, err := a.catalog.Commit(ctx,
		cluster.MarkCleanStop{Agent: a.self.ID, Incarnation: a.self.Incarnation})
	if err != nil {
		a.logger.Warn("orderly stop not recorded in the catalog", "err", err)
	}
	return nil
}

// abandon closes what a start that failed has opened.
func (a *Agent) abandon() {
	a.cancel()
	if a.broker != nil {
		_ = a.broker.Close() // the start's error is what counts, here and below
	}
	if a.admin != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = a.admin.Close(ctx)
	}
	_ = a.workers.Wait()
	a.closeCoordinators()
	_ = a.closePartitions()
	_ = a.closeRest()
}

// closeRest closes what is left, in the opposite order of the start.
func (a *Agent) closeRest() error {
	var errs []error
	if a.reads != nil {
		a.reads.Close()
	}
	if a.ranges != nil {
		errs = append(errs, a.ranges.Close())
	}
	if a.footers != nil {
		a.footers.Close()
	}
	if a.catalog != nil {
		errs = append(errs, a.catalog.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	for _, l := range []interface{ Close() error }{a.httpSide, a.kafkaSide} {
		if l != nil {
			_ = l.Close() // the servers close theirs, a start that failed has to
		}
	}
	if a.dir != nil {
		errs = append(errs, a.dir.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
