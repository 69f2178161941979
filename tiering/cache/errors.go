package cache

import "errors"

// ErrClosed: the cache is closed.
var ErrClosed = errors.New("range cache is closed")

// ErrOutOfRange: the bytes asked for do not all lie inside the object.
var ErrOutOfRange = errors.New("range outside of the object")
