package table

import "errors"

// ErrUnknownTopic is returned by Source.Topic when the bucket holds no topic of that name.
var ErrUnknownTopic = errors.New("unknown topic")
