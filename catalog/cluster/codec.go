package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/varve-log/varve/internal/gzjson"
	"github.com/varve-log/varve/kafka"
)

// Format is the format that this package writes.
const Format = 1

// ObjectBytesMax bounds a delta object or snapshot page after decompression.
const ObjectBytesMax = 256 << 20

type rootJSON struct {
	Format int `json:"format"`
	Root
}

type deltasJSON struct {
	Format int     `json:"format"`
	Deltas []Delta `json:"deltas"`
}

// Page is a part of a snapshot: a delta from the empty state, restricted to a range of topic ids.
type Page struct {
	Format int   `json:"format"`
	State  Delta `json:"state"`
}

// EncodeRoot gives the JSON body of the cluster head.
func EncodeRoot(r Root) ([]byte, error) {
	raw, err := json.Marshal(rootJSON{Format: Format, Root: r})
	if err != nil {
		return nil, fmt.Errorf("encode cluster head: %w", err)
	}
	return raw, nil
}

// DecodeRoot reads the JSON body of the cluster head. ErrCorrupt, ErrFormat.
func DecodeRoot(raw []byte) (Root, error) {
	var r rootJSON
	if err := json.Unmarshal(raw, &r); err != nil {
		return Root{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := checkFormat(r.Format); err != nil {
		return Root{}, err
	}
	return r.Root, r.validate()
}

func (r Root) validate() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s in the head", ErrCorrupt, what) }
	if r.ClusterID == "" || len(r.ClusterID) > 64 || len(r.Retired) > RetiredMax {
		return bad("cluster id or a list's length")
	}
	for i, p := range r.Snapshot.Pages {
		if _, ok := p.Name.Version(); !ok || i > 0 &&
			bytes.Compare(p.First[:], r.Snapshot.Pages[i-1].First[:]) <= 0 {
			return bad("snapshot page " + string(p.Name))
		}
	}
	changed := r.Snapshot.Changed
	for i, d := range r.Deltas {
		_, ok := d.Name.Version()
		if !ok || d.To <= d.From || d.From > changed || i > 0 && d.From != changed || d.To <= changed {
			return bad("delta " + string(d.Name))
		}
		changed = d.To
	}
	for _, d := range r.Inline {
		if d.To <= d.From || d.From != changed {
			return bad(fmt.Sprintf("inline delta %d-%d after version %d", d.From, d.To, changed))
		}
		changed = d.To
	}
	if changed != r.Changed {
		return bad(fmt.Sprintf("version %d after deltas up to %d", r.Changed, changed))
	}
	return nil
}

// EncodeDeltas gives the gzipped JSON of a delta object.
func EncodeDeltas(ds []Delta) ([]byte, error) {
	return pack(deltasJSON{Format: Format, Deltas: ds})
}

// DecodeDeltas reads a delta object. ErrCorrupt, ErrFormat.
func DecodeDeltas(raw []byte) ([]Delta, error) {
	var d deltasJSON
	if err := unpack(raw, &d); err != nil {
		return nil, err
	}
	return d.Deltas, checkFormat(d.Format)
}

// EncodePage gives the gzipped JSON of a snapshot page.
func EncodePage(d Delta) ([]byte, error) { return pack(Page{Format: Format, State: d}) }

// DecodePage reads a snapshot page. ErrCorrupt, ErrFormat.
func DecodePage(raw []byte) (Delta, error) {
	var p Page
	if err := unpack(raw, &p); err != nil {
		return Delta{}, err
	}
	return p.State, checkFormat(p.Format)
}

func pack(v any) ([]byte, error) {
	raw, err := gzjson.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("encode cluster state: %w", err)
	}
	return raw, nil
}

func unpack(raw []byte, v any) error {
	if err := gzjson.Decode(raw, ObjectBytesMax, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

func checkFormat(f int) error {
	if f > Format {
		return fmt.Errorf("%w: format %d, this program reads up to %d; upgrade it", ErrFormat, f, Format)
	}
	if f < 1 {
		return fmt.Errorf("%w: format %d", ErrCorrupt, f)
	}
	return nil
}

// FromSnapshot builds the state of a snapshot from its pages, in any order.
func FromSnapshot(clusterID string, changed int64, pages []Delta) (*State, error) {
	whole := Delta{To: changed}
	for _, p := range pages {
		whole.ProducerIDNext = max(whole.ProducerIDNext, p.ProducerIDNext)
		if p.Defaults != nil {
			whole.Defaults = p.Defaults
		}
		if p.AgentConfigs != nil {
			whole.AgentConfigs = p.AgentConfigs
		}
		if p.GroupConfigs != nil {
			whole.GroupConfigs = p.GroupConfigs
		}
		whole.Agents = append(whole.Agents, p.Agents...)
		whole.Topics = append(whole.Topics, p.Topics...)
		whole.Deleted = append(whole.Deleted, p.Deleted...)
	}
	s := NewState(clusterID)
	if changed == 0 {
		return s, nil
	}
	for i := range whole.Topics {
		if whole.Topics[i].Name == "" {
			return nil, fmt.Errorf("%w: topic %s has no name", ErrCorrupt, whole.Topics[i].ID)
		}
	}
	return s.Advance(whole)
}

// compareIDs orders topic ids by their bytes.
func compareIDs(a, b kafka.TopicID) int { return bytes.Compare(a[:], b[:]) }
