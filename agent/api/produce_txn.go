package api

import (
	"context"
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

const (
	// abortableSince is the first version of Produce whose clients know TRANSACTION_ABORTABLE, addsSince
	// the first one that adds partitions to the transaction by itself (KIP-890).
	abortableSince = 11
	addsSince      = 12
)

// verdict is what became of the verification of one part.
type verdict struct {
	guard uint64
	fault fault
}

// verification is a Produce request's question to the transaction coordinator.
type verification struct {
	producer   coordinator.Producer
	found      bool // of a transactional batch
	mixed      bool // batches of several producers
	parts      []int
	partitions []txn.Partition
}

// verify asks the coordinator about the partitions in which the request would begin a transaction, as
// its connection waits: appends keep their order. w stands at the topics.
func (p *produce) verify(ctx context.Context, id string, w wire) {
	p.verdicts = p.verdicts[:0]
	if id == "" || p.acks < acksAll || p.acks > 1 {
		return
	}
	adds := p.r.Version >= addsSince
	if !adds && !p.h.backend.AgentSettings().Transactions.Verification {
		return
	}
	var v verification
	for n := w.array(2); n > 0; n-- {
		var t producedTopic
		topic, f := p.topic(&w, &t)
		for m := w.array(4); m > 0; m-- {
			partition, records := w.int32(), w.bytes()
			w.tags()
			p.verdicts = append(p.verdicts, verdict{})
			if f.code == codeNone {
				p.beginVerification(&v, topic, partition, records)
			}
		}
		w.tags()
	}
	switch {
	case v.mixed:
		for i := range p.verdicts {
			p.verdicts[i].fault = fault{
				kerr.InvalidProducerIDMapping.Code,
				"Transactional records contained more than one producer ID",
			}
		}
	case len(v.parts) > 0:
		// A copy: the coordinator may look at the name after the request's bytes are reused.
		p.askCoordinator(ctx, strings.Clone(id), &v, adds)
	}
}

// beginVerification looks whether a part begins a transaction.
func (p *produce) beginVerification(v *verification, t *Topic, partition int32, records []byte) {
	b, _, err := record.Next(records)
	if err != nil || !b.IsTransactional() || b.ProducerID() == kafka.NoProducerID {
		return // refused when it is checked, or not of a transaction
	}
	of := coordinator.Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch()}
	v.mixed = v.mixed || v.found && v.producer != of
	v.found, v.producer = true, of
	replica, err := p.h.replica(t, partition)
	if err != nil {
		return // the append says so
	}
	i := len(p.verdicts) - 1
	guard, err := replica.BeginVerification(
		of.ID, of.Epoch, b.BaseSequence(), p.r.Version >= addsSince)
	if p.verdicts[i].guard = guard; err != nil {
		p.verdicts[i].fault = faultOf(err)
	} else if guard != 0 {
		v.parts = append(v.parts, i)
		v.partitions = append(v.partitions, txn.Partition{Topic: t.Name, Partition: partition})
	}
}

// transactional prepares the append of the part that was taken last, which is transactional.
func (p *produce) transactional(o *AppendOptions) fault {
	if p.txnID == nil {
		return fault{
			kerr.TransactionalIDAuthorizationFailed.Code, "transactional records need a transactional id",
		}
	}
	o.Verified = p.h.backend.AgentSettings().Transactions.Verification
	if i := p.used - 1; i < len(p.verdicts) {
		o.Guard = p.verdicts[i].guard
		return p.verdicts[i].fault
	}
	return fault{}
}

// askCoordinator adds the partitions to the transaction, or verifies that they were added.
func (p *produce) askCoordinator(ctx context.Context, id string, v *verification, adds bool) {
	ctx, cancel := p.h.waitFor(ctx, int32(p.timeout.Milliseconds()))
	defer cancel()
	verdicts, err := p.h.admit(ctx, id, v.producer, v.partitions, adds)
	for i, part := range v.parts {
		each := err
		if each == nil {
			each = verdicts[i]
		}
		if each != nil {
			p.verdicts[part].fault = verificationFault(each, p.r.Version >= abortableSince, adds)
		}
	}
}

// admit asks a transactional id's coordinator whether partitions are part of its transaction, or adds
// them; the answer is an error or nil for each, or an error for all.
func (h *Handler) admit(ctx context.Context, id string, of coordinator.Producer,
	partitions []txn.Partition, adds bool,
) ([]error, error) {
	if !adds {
		return h.backend.VerifyPartitions(ctx, txn.VerifyPartitions{
			ID: id, Producer: of, Partitions: partitions,
		})
	}
	err := h.backend.AddPartitions(ctx, txn.AddPartitions{
		ID: id, Producer: of, Partitions: partitions, Version: txn.Version2,
	})
	return make([]error, len(partitions)), err
}

// verificationFault is how a producer learns of a refusal. Coordinators that are not there are worded
// as a lack of replicas, which every client retries without looking for another leader.
func verificationFault(err error, abortable, adds bool) fault {
	switch {
	case errors.Is(err, coordinator.ErrLoading), errors.Is(err, coordinator.ErrNotCoordinator),
		errors.Is(err, coordinator.ErrNotAvailable), isTimeout(err),
		errors.Is(err, txn.ErrConcurrentTransactions) && !adds:
		return fault{
			kerr.NotEnoughReplicas.Code,
			"Unable to verify the partition has been added to the transaction. Underlying error: " +
				err.Error(),
		}
	case errors.Is(err, txn.ErrProducerFenced):
		return fault{codeOf(ErrInvalidProducerEpoch), err.Error()}
	case errors.Is(err, txn.ErrAbortable) && !abortable:
		return fault{codeTxnState, "Partition was not added to the transaction"}
	}
	return faultOf(err)
}
