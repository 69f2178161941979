package table

import "errors"

// ErrUnknownTopic is returned by Source.Topic when the bucket holds no topic of that name.
var ErrUnknownTopic = errors.New("unknown topic")

// ErrOffsetsMissing is returned by a BatchReader when the bucket does not hold offsets it was asked
// for, although the manifest listed them.
var ErrOffsetsMissing = errors.New("offsets missing from the bucket")
