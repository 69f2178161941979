package driver

import (
	"context"
	"errors"
	"flag"
	"slices"
	"sync"
)

// Session settings of every member, in milliseconds.
const (
	SessionMillis   = 6000
	HeartbeatMillis = 500
	RebalanceMillis = 10000
)

// Member says what kind of group member is asked for.
type Member struct {
	Group, Topic, ClientID string
	// Instance makes the member static.
	Instance string
	// Cooperative asks for the cooperative assignor instead of range.
	Cooperative bool
	// Consumer asks for the consumer protocol of KIP-848 instead of the classic one.
	Consumer bool
}

type memberArgs struct {
	Member
	assignor, protocol string
}

func memberFlags() *memberArgs {
	m := &memberArgs{}
	flag.StringVar(&m.Group, "group", "", "group of the member")
	flag.StringVar(&m.Topic, "topic", "", "topic of the member")
	flag.StringVar(&m.ClientID, "client-id", "member", "client id of the member")
	flag.StringVar(&m.Instance, "instance", "", "instance name of a static member")
	flag.StringVar(&m.assignor, "assignor", "range", "range or cooperative")
	flag.StringVar(&m.protocol, "protocol", "classic", "classic or consumer")
	return m
}

// Events prints what a member sees. Its methods may be called from any goroutine.
type Events struct {
	mu    sync.Mutex
	owned []int32
}

// Own replaces what the member owns.
func (e *Events) Own(partitions []int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owned = append([]int32{}, partitions...)
	e.print()
}

// Gain adds to what the member owns.
func (e *Events) Gain(partitions []int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owned = append(e.owned, partitions...)
	e.print()
}

// Lose takes from what the member owns.
func (e *Events) Lose(partitions []int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owned = slices.DeleteFunc(e.owned, func(p int32) bool { return slices.Contains(partitions, p) })
	e.print()
}

func (e *Events) print() {
	slices.Sort(e.owned)
	printLine(struct {
		Event      string  `json:"event"`
		Partitions []int32 `json:"partitions"`
	}{"assigned", append([]int32{}, e.owned...)})
}

// Record prints a record, before its offset is committed.
func (e *Events) Record(partition int32, offset int64, value []byte) {
	printLine(struct {
		Event     string `json:"event"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Value     string `json:"value"`
	}{"record", partition, offset, string(value)})
}

type ending struct {
	Event  string `json:"event"`
	Detail string `json:"detail,omitempty"`
}

// member runs one member until stdin ends, and returns the exit code.
func member(c Client, args memberArgs) int {
	args.Cooperative = args.assignor == "cooperative"
	args.Consumer = args.protocol == "consumer"
	ctx, cancel := untilAsked()
	defer cancel()
	err := c.Member(ctx, args.Member, &Events{})
	var absent Absent
	switch {
	case errors.As(err, &absent):
		printLine(ending{"absent", string(absent)})
	case err != nil && !errors.Is(err, context.Canceled):
		printLine(ending{"error", err.Error()})
		return 1
	default:
		printLine(ending{"left", ""})
	}
	return 0
}
