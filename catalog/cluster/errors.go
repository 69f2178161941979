package cluster

import "errors"

// Reasons to refuse a change. Each is final for the state it was decided on.
var (
	// ErrTopicExists: a topic of that name exists.
	ErrTopicExists = errors.New("topic exists")
	// ErrNameCollides: a topic exists whose name differs only in '.' for '_', which metrics cannot
	// tell apart.
	ErrNameCollides = errors.New("topic name collides")
	// ErrUnknownTopic: no topic has that id or name.
	ErrUnknownTopic = errors.New("unknown topic")
	// ErrUnknownPartition: the topic has no such partition.
	ErrUnknownPartition = errors.New("unknown partition")
	// ErrUnknownAgent: no agent has that id.
	ErrUnknownAgent = errors.New("unknown agent")
	// ErrSuperseded: the agent's incarnation was replaced by a newer one. The older process must exit.
	ErrSuperseded = errors.New("agent incarnation is superseded")
	// ErrClaimed: the agent id belongs to another disk.
	ErrClaimed = errors.New("agent id is claimed by another disk")
	// ErrInvalid: a field of the change is out of its bounds.
	ErrInvalid = errors.New("invalid change")
	// ErrStale: the change was decided on an older partition or topic than there is now.
	ErrStale = errors.New("change is stale")
	// ErrCorrupt: bytes break an invariant of the format.
	ErrCorrupt = errors.New("cluster state is corrupt")
	// ErrFormat: a newer program wrote it.
	ErrFormat = errors.New("cluster state has a newer format")
)
