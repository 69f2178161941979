package tiering

import "errors"

var (
	// ErrUnknownPartition: the partition was not added, or was removed.
	ErrUnknownPartition = errors.New("partition is not in the sealer's care")
	// ErrLocalOnly: the topic has remote.storage.enable=false.
	ErrLocalOnly = errors.New("topic is kept on local disk only (remote.storage.enable=false)")
	// ErrFenced: a newer leader edits the manifest; this one must stop.
	ErrFenced = errors.New("sealing leader is fenced")
	// ErrVerify: a committed object is not in the store as it was committed, and could not be put
	// there again from the local copy.
	ErrVerify = errors.New("sealed object failed verification")
	// ErrClosed: the sealer stopped.
	ErrClosed = errors.New("sealer is stopped")
)
