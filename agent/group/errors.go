package group

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalidGroupID: the group id is empty where the request needs one.
	ErrInvalidGroupID = errors.New("invalid group id")
	// ErrGroupIDNotFound: no group has this id, or it is of another type than the request is for.
	ErrGroupIDNotFound = errors.New("group id not found")
	// ErrOtherGroupType: the group that was to be described is of another type. It is an
	// ErrGroupIDNotFound.
	ErrOtherGroupType = fmt.Errorf("%w: it is of another type", ErrGroupIDNotFound)
	// ErrGroupNotEmpty: the group has members.
	ErrGroupNotEmpty = errors.New("group is not empty")
	// ErrGroupMaxSize: the group has as many members as it may have.
	ErrGroupMaxSize = errors.New("group is full")
	// ErrUnknownMember: the group has no such member; the client joins anew.
	ErrUnknownMember = errors.New("unknown member id")
	// ErrFencedInstance: another member took over the group instance id.
	ErrFencedInstance = errors.New("group instance id is fenced by a newer member")
	// ErrIllegalGeneration: the member speaks of another generation than the group's.
	ErrIllegalGeneration = errors.New("illegal generation")
	// ErrStaleMemberEpoch: a member of a consumer group speaks of another epoch than its own.
	ErrStaleMemberEpoch = errors.New("stale member epoch")
	// ErrInconsistentProtocol: no protocol that all members know, or another protocol type.
	ErrInconsistentProtocol = errors.New("inconsistent group protocol")
	// ErrInvalidSessionTimeout: outside of Config's bounds.
	ErrInvalidSessionTimeout = errors.New("invalid session timeout")
	// ErrRebalancing: the group rebalances; the client joins again.
	ErrRebalancing = errors.New("rebalance in progress")
	// ErrSubscribedToTopic: offsets of a topic that the group consumes cannot be deleted.
	ErrSubscribedToTopic = errors.New("group is subscribed to the topic")
	// ErrMetadataTooLarge: a commit's metadata is longer than Config.OffsetMetadataMax.
	ErrMetadataTooLarge = errors.New("offset metadata is too large")
	// ErrUnstableOffset: a transaction that is not decided yet commits an offset of the partition.
	ErrUnstableOffset = errors.New("offset commit is not stable")
	// ErrRecordTooLarge: the group would not fit into a record, or the request's records not into a
	// batch (V10).
	ErrRecordTooLarge = errors.New("too large for a record batch")
	// ErrUnknownRecord: a record of the log is in no format that this version knows.
	ErrUnknownRecord = errors.New("unknown record")
)

// MemberIDRequired is how a new member that joins without an id is told the one to join with (KIP-394).
type MemberIDRequired struct {
	MemberID string
}

// Error says what to do.
func (e *MemberIDRequired) Error() string { return "join again as member " + e.MemberID }
