package manifest

import (
	"encoding/json"
	"fmt"

	"github.com/varve-log/varve/internal/gzjson"
	"github.com/varve-log/varve/kafka"
)

// Format is the format of heads and pages that this package writes.
const Format = 1

// WriterFormat is the lowest format that a writer must speak to edit every head that this package
// writes: one of format 1 would drop the name of a checkpoint's ledger, which its readers do without.
const WriterFormat = 2

// MinWriter is the lowest format that a writer must speak to edit this head.
func (h Head) MinWriter() int {
	if h.Checkpoint != nil {
		return WriterFormat
	}
	return 1
}

// PageBytesMax bounds a page after decompression.
const PageBytesMax = 16 << 20

type headJSON struct {
	Format int `json:"format"`
	Head
}

type pageJSON struct {
	Format int `json:"format"`
	Page
}

// EncodeHead gives the JSON body of a head.
func EncodeHead(h Head) ([]byte, error) { return json.Marshal(headJSON{Format: Format, Head: h}) }

// DecodeHead reads the JSON body of a head and holds it against every invariant. ErrCorrupt,
// ErrFormat.
func DecodeHead(raw []byte) (Head, error) {
	var h headJSON
	if err := json.Unmarshal(raw, &h); err != nil {
		return Head{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := checkFormat(h.Format); err != nil {
		return Head{}, err
	}
	return h.Head, h.Validate()
}

// EncodePage gives the gzipped JSON of a page. The same page gives the same bytes.
func EncodePage(p Page) ([]byte, error) {
	raw, err := gzjson.Encode(pageJSON{Format: Format, Page: p})
	if err != nil {
		return nil, fmt.Errorf("encode manifest page: %w", err)
	}
	return raw, nil
}

// DecodePage reads a page; whoever loads it by a reference calls Check too. ErrCorrupt, ErrFormat.
func DecodePage(raw []byte) (Page, error) {
	var p pageJSON
	if err := gzjson.Decode(raw, PageBytesMax, &p); err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := checkFormat(p.Format); err != nil {
		return Page{}, err
	}
	return p.Page, p.validate()
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

// Validate holds a head against the invariants of the package; ErrCorrupt names what is broken.
func (h Head) Validate() error {
	bad := func(what string, args ...any) error {
		return fmt.Errorf("%w: %s of %s", ErrCorrupt, fmt.Sprintf(what, args...), h.TP())
	}
	switch {
	case h.Topic.IsZero() || h.Partition < 0:
		return bad("name")
	case h.LogStartOffset < 0 || h.SealedEndOffset < 0 || h.FenceEpoch < kafka.NoLeaderEpoch:
		return bad("a negative bound")
	case h.VerifiedEnd < 0 || h.VerifiedEnd > h.SealedEndOffset:
		return bad("verified end %d, sealed end %d", h.VerifiedEnd, h.SealedEndOffset)
	case h.SweptEnd < 0 || h.SweptEnd > h.SealedEndOffset:
		return bad("swept end %d, sealed end %d", h.SweptEnd, h.SealedEndOffset)
	case len(h.Expired) > ExpiredMax+1 || len(h.Retired) > RetiredMax || len(h.Epochs) > EpochsMax:
		return bad("a list beyond its bound")
	case len(h.Tail) > TailHardMax:
		return bad("tail of %d", len(h.Tail))
	case h.Checkpoint != nil && (h.Checkpoint.Agent < 0 || h.Checkpoint.Number < 0):
		return bad("ledger %d of agent %d", h.Checkpoint.Number, h.Checkpoint.Agent)
	}
	if err := checkRefs(h.Indexes, true); err != nil {
		return err
	}
	if err := checkRefs(h.Pages, false); err != nil {
		return err
	}
	if err := checkEntries(h.Tail); err != nil {
		return err
	}
	return h.validateLists(bad)
}

func (h Head) validateLists(bad func(string, ...any) error) error {
	end := h.SweptEnd
	var parts []PageRef
	parts = append(append(parts, h.Indexes...), h.Pages...)
	for _, e := range h.Tail {
		parts = append(parts, entryRef(e))
	}
	for i, p := range parts {
		if p.BaseOffset < end && i > 0 || p.NextOffset <= h.SweptEnd {
			return bad("order at %d", p.BaseOffset)
		}
		if p.BaseOffset > max(end, h.LogStartOffset) {
			return bad("hole before %d", p.BaseOffset)
		}
		end = p.NextOffset
	}
	if len(parts) > 0 && end != h.SealedEndOffset {
		return bad("sealed end %d, last segment ends at %d", h.SealedEndOffset, end)
	}
	for i := 1; i < len(h.Epochs); i++ {
		a, b := h.Epochs[i-1], h.Epochs[i]
		if a.Epoch >= b.Epoch || a.StartOffset >= b.StartOffset {
			return bad("epoch history at %d", b.Epoch)
		}
	}
	for i := 1; i < len(h.Expired); i++ {
		if h.Expired[i-1].Below >= h.Expired[i].Below {
			return bad("expiry mark %d", h.Expired[i].Below)
		}
	}
	for _, r := range h.Retired {
		if !ValidUID(r.UID) || r.LeaderEpoch < 0 {
			return bad("retired page %q", r.UID)
		}
	}
	return nil
}

// checkEntries holds entries against their bounds and their order.
func checkEntries(entries []Entry) error {
	for i, e := range entries {
		if err := e.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if i > 0 && e.BaseOffset < entries[i-1].NextOffset {
			return fmt.Errorf("%w: segments %s and %s overlap",
				ErrCorrupt, entries[i-1].Range(), e.Range())
		}
	}
	return nil
}

// checkRefs holds references against their bounds, their order and their kind.
func checkRefs(refs []PageRef, index bool) error {
	for i, r := range refs {
		if !ValidUID(r.UID) || r.LeaderEpoch < 0 || r.BaseOffset < 0 || r.NextOffset <= r.BaseOffset ||
			r.Count < 1 || r.Segments < int64(r.Count) || r.Index != index ||
			r.MinTimestamp > r.MaxTimestamp || r.RunningMaxTimestamp < r.MaxTimestamp {
			return fmt.Errorf("%w: reference to page %q [%d,%d)",
				ErrCorrupt, r.UID, r.BaseOffset, r.NextOffset)
		}
		if i > 0 && (r.BaseOffset < refs[i-1].NextOffset ||
			r.RunningMaxTimestamp < refs[i-1].RunningMaxTimestamp) {
			return fmt.Errorf("%w: pages %q and %q are out of order", ErrCorrupt, refs[i-1].UID, r.UID)
		}
	}
	return nil
}
