package coordinator

import "errors"

var (
	// ErrNotCoordinator: another agent leads the partition now, or this one lost it meanwhile. Find the
	// coordinator again.
	ErrNotCoordinator = errors.New("not the coordinator")
	// ErrLoading: the machine is being loaded from its log. Ask again soon.
	ErrLoading = errors.New("coordinator is loading")
	// ErrNotAvailable: nobody leads the partition, or its internal topic cannot be made now. Ask again.
	ErrNotAvailable = errors.New("coordinator not available")
)
