package checkpoint

import (
	"encoding/json"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// Format is the format of ledgers that this package writes.
const Format = 1

type ledgerJSON struct {
	Format int `json:"format"`
	Ledger
}

// Encode gives the JSON body of a ledger.
func Encode(l Ledger) ([]byte, error) {
	return json.Marshal(ledgerJSON{Format: Format, Ledger: l})
}

// Decode reads the JSON body of a ledger and holds it against every invariant. ErrCorrupt,
// ErrFormat.
func Decode(raw []byte) (Ledger, error) {
	var l ledgerJSON
	if err := json.Unmarshal(raw, &l); err != nil {
		return Ledger{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if l.Format > Format {
		return Ledger{}, fmt.Errorf("%w: format %d, this program reads up to %d; upgrade it",
			ErrFormat, l.Format, Format)
	}
	if l.Format < 1 {
		return Ledger{}, fmt.Errorf("%w: format %d", ErrCorrupt, l.Format)
	}
	return l.Ledger, l.Validate()
}

// Validate holds a ledger against the invariants of the package; ErrCorrupt names what is broken.
func (l Ledger) Validate() error {
	bad := func(what string, args ...any) error {
		return fmt.Errorf("%w: %s in ledger %d of agent %d",
			ErrCorrupt, fmt.Sprintf(what, args...), l.Number, l.Agent)
	}
	switch {
	case l.Agent < 0 || l.Number < 0 || l.Incarnation < 0:
		return bad("a negative name")
	case len(l.Entries) > EntriesMax || len(l.Retired) > RetiredMax || l.parts() > LedgerPartsMax:
		return bad("a list beyond its bound")
	}
	for i, s := range l.Objects {
		if s.Incarnation < 1 || s.Sequence < 1 || s.Bytes < 1 ||
			i > 0 && l.Objects[i-1].Compare(s.Object) >= 0 {
			return bad("object %d-%d", s.Incarnation, s.Sequence)
		}
	}
	for _, r := range l.Retired {
		if r.Incarnation < 1 || r.Sequence < 1 {
			return bad("retired object %d-%d", r.Incarnation, r.Sequence)
		}
	}
	for i, e := range l.Entries {
		if i > 0 && compareTP(l.Entries[i-1].TP(), e.TP()) >= 0 {
			return bad("order at %s", e.TP())
		}
		if err := l.checkEntry(e); err != nil {
			return bad("%v", err)
		}
	}
	return nil
}

// checkEntry holds an entry against its bounds and against the objects of the ledger.
func (l *Ledger) checkEntry(e Entry) error {
	if e.Topic.IsZero() || e.Partition < 0 || e.LeaderEpoch < 0 || len(e.Parts) == 0 {
		return fmt.Errorf("checkpoint of %s has %d parts in leader epoch %d",
			e.TP(), len(e.Parts), e.LeaderEpoch)
	}
	next := e.Parts[0].BaseOffset
	for _, p := range e.Parts {
		s, ok := l.Stored(p.Object)
		switch {
		case !ok:
			return fmt.Errorf("offsets %s of %s lie in no object", p.Range(), e.TP())
		case p.BaseOffset != next || p.BaseOffset < 0 || p.NextOffset <= p.BaseOffset:
			return fmt.Errorf("offsets %s of %s follow %d", p.Range(), e.TP(), next)
		case p.Position < 0 || p.DataBytes < 0 || p.FooterBytes < 1 || p.Records < 0 || p.SourceBytes < 0 ||
			p.DataBytes > s.Bytes || p.FooterBytes > s.Bytes || p.Position > s.Bytes-p.Bytes():
			return fmt.Errorf("offsets %s of %s lie at [%d,%d) of %d bytes",
				p.Range(), e.TP(), p.Position, p.Position+p.Bytes(), s.Bytes)
		}
		next = p.NextOffset
	}
	return checkEpochs(e)
}

func checkEpochs(e Entry) error {
	last := kafka.EpochStart{Epoch: kafka.NoLeaderEpoch, StartOffset: kafka.NoOffset}
	for _, s := range e.Epochs {
		if s.Epoch <= last.Epoch || s.StartOffset <= last.StartOffset || s.StartOffset >= e.EndOffset() ||
			s.Epoch > e.LeaderEpoch {
			return fmt.Errorf("epoch history of %s at %d", e.TP(), s.Epoch)
		}
		last = s
	}
	if len(e.Epochs) > EpochsMax {
		return fmt.Errorf("%d leader epochs of %s", len(e.Epochs), e.TP())
	}
	return nil
}
