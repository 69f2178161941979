package vfs

import (
	"errors"
	"syscall"
)

// ErrDiskFull is the class of failures that end when someone makes room: no space left, or a quota
// that is used up.
var ErrDiskFull = errors.New("disk full")

// classify adds ErrDiskFull to errors that mean it.
func classify(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &classifiedError{class: ErrDiskFull, cause: err}
	}
	return err
}

// classifiedError reads as its cause and is both.
type classifiedError struct{ class, cause error }

func (e *classifiedError) Error() string   { return e.cause.Error() }
func (e *classifiedError) Unwrap() []error { return []error{e.class, e.cause} }
