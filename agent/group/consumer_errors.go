package group

import "errors"

// Refusals of the consumer protocol.
var (
	// ErrInvalidRequest: fields of the request do not go together.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrFencedEpoch: the member speaks of an epoch that it is not in. It gives up all partitions and
	// joins again.
	ErrFencedEpoch = errors.New("member epoch is fenced")
	// ErrUnreleasedInstance: another member uses the instance id and did not leave.
	ErrUnreleasedInstance = errors.New("group instance id is in use")
	// ErrUnsupportedAssignor: no such server-side assignor.
	ErrUnsupportedAssignor = errors.New("server-side assignor is not supported")
	// ErrInvalidRegex: the subscription is no regular expression of RE2.
	ErrInvalidRegex = errors.New("invalid regular expression")
	// ErrUnsupportedVersion: members of the consumer protocol need a newer version of the request.
	ErrUnsupportedVersion = errors.New("request version is not supported for consumer groups")
)
