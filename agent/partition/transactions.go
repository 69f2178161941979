package partition

import (
	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
)

// BeginVerification begins to verify a producer's transaction; see api.TransactionLog.
func (p *Partition) BeginVerification(
	id kafka.ProducerID, epoch int16, sequence int32, bumps bool,
) (uint64, error) {
	guard, err := p.log.BeginVerification(id, epoch, sequence, bumps)
	return uint64(guard), meaning(err)
}

// CheckTransaction says whether an append to a transaction would be taken; see api.TransactionLog.
func (p *Partition) CheckTransaction(of coordinator.Producer, guard uint64) error {
	return meaning(p.log.CheckTransaction(of.ID, of.Epoch, hotlog.Guard(guard)))
}

// CheckMarker says whether a marker would be taken; see api.TransactionLog.
func (p *Partition) CheckMarker(m coordinator.Marker) error {
	return meaning(p.log.CheckMarker(
		m.Producer.ID, m.Producer.Epoch, m.CoordinatorEpoch, m.Version))
}

// Producers lists the producers that the log knows; see api.TransactionLog.
func (p *Partition) Producers() []api.ProducerState {
	all := p.log.Producers()
	out := make([]api.ProducerState, 0, len(all))
	for i := range all {
		s := &all[i]
		out = append(out, api.ProducerState{
			Producer:     coordinator.Producer{ID: s.ProducerID, Epoch: s.Epoch},
			LastSequence: s.LastSequence, LastTimestamp: s.LastTimestamp,
			CoordinatorEpoch: s.CoordinatorEpoch, TxnFirstOffset: s.CurrentTxnFirstOffset,
		})
	}
	return out
}
