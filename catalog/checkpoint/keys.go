package checkpoint

import (
	"fmt"
	"strconv"
	"strings"
)

// Prefix is the first component of the keys of ledgers and their objects.
const Prefix = "checkpoints/"

// HeadKey is checkpoints/<agent id>/<ledger>/head.
func (r Ref) HeadKey() string { return fmt.Sprintf("%s%d/%d/head", Prefix, r.Agent, r.Number) }

// ObjectKey is checkpoints/<agent id>/<ledger>/objects/<incarnation>-<sequence>.
func (r Ref) ObjectKey(o Object) string {
	return fmt.Sprintf("%s%d/%d/objects/%d-%d", Prefix, r.Agent, r.Number, o.Incarnation, o.Sequence)
}

// ParseKey tells the ledger of a key below Prefix and, for an object, its name; for a head object is
// nil. False when the key is neither.
func ParseKey(key string) (ref Ref, object *Object, ok bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 3 {
		return ref, nil, false
	}
	agent, err := strconv.ParseInt(parts[0], 10, 32)
	if err != nil || agent < 0 {
		return ref, nil, false
	}
	number, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil || number < 0 {
		return ref, nil, false
	}
	ref = Ref{Agent: int32(agent), Number: int32(number)}
	if len(parts) == 3 {
		return ref, nil, key == ref.HeadKey()
	}
	incarnationText, sequenceText, _ := strings.Cut(parts[3], "-")
	incarnation, err := strconv.ParseInt(incarnationText, 10, 64)
	if err != nil || incarnation < 1 {
		return ref, nil, false
	}
	sequence, err := strconv.ParseInt(sequenceText, 10, 64)
	if err != nil || sequence < 1 {
		return ref, nil, false
	}
	object = &Object{Incarnation: incarnation, Sequence: sequence}
	return ref, object, key == ref.ObjectKey(*object)
}
