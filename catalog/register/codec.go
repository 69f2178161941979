package register

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Format is the format of the envelope that this package reads and writes.
const Format = 1

// RecentMax bounds the list of earlier commit ids in a head. An attempt whose outcome is asked for
// only after more than RecentMax later commits stays unknown.
const RecentMax = 32

// idBytesMax bounds one commit id.
const idBytesMax = 64

// envelope is the JSON of a head.
type envelope struct {
	Format    int             `json:"format"`
	MinWriter int             `json:"min_writer"`
	Version   int64           `json:"version"`
	Commit    string          `json:"commit"`
	Recent    []string        `json:"recent,omitempty"`
	Body      json.RawMessage `json:"body"`
}

// encode gives the bytes of the head that follows prev.
func encode(prev Head, id string, body json.RawMessage, minWriter int) ([]byte, error) {
	e := envelope{
		Format: Format, MinWriter: max(minWriter, prev.MinWriter), Version: prev.Version + 1,
		Commit: id, Recent: prev.successors(), Body: body,
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	return raw, nil
}

// Decode reads the bytes of a head. ErrCorrupt when they are none, ErrFormat when a newer program
// wrote it. The ETag is not part of the bytes and stays empty.
func Decode(raw []byte) (Head, error) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return Head{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	switch {
	case e.Format > Format:
		return Head{}, fmt.Errorf("%w: format %d, this program reads up to %d; upgrade it",
			ErrFormat, e.Format, Format)
	case e.Format < 1, e.MinWriter < 0, e.Version < 1, e.Commit == "", len(e.Commit) > idBytesMax,
		len(e.Recent) > RecentMax, len(e.Body) == 0:
		return Head{}, fmt.Errorf("%w: a field is missing or out of its bounds", ErrCorrupt)
	}
	if bytes.Equal(bytes.TrimSpace(e.Body), []byte("null")) {
		e.Body = nil
	}
	return Head{
		Version: e.Version, CommitID: e.Commit, Recent: e.Recent, MinWriter: e.MinWriter, Body: e.Body,
	}, nil
}

// successors is the list of recent ids for the head that follows h.
func (h Head) successors() []string {
	if h.CommitID == "" {
		return nil
	}
	ids := append(slices.Clone(h.Recent), h.CommitID)
	return ids[max(0, len(ids)-RecentMax):]
}

// holds reports whether the commit of that id is h or among those that led to it.
func (h Head) holds(id string) bool { return h.CommitID == id || slices.Contains(h.Recent, id) }
