package manifest

import "errors"

var (
	// ErrFenced: the edit comes from a leader epoch below the fence epoch. The leader must stop.
	ErrFenced = errors.New("leader epoch is fenced")
	// ErrDeleted: the topic is deleted, its manifest takes no more edits.
	ErrDeleted = errors.New("partition is deleted")
	// ErrNotDense: a segment does not begin where the sealed part ends.
	ErrNotDense = errors.New("segment does not continue the sealed part")
	// ErrStaleSegment: the object was uploaded in a leader epoch that is fenced, so that a sweep may
	// be deleting it. Upload it again under a new name.
	ErrStaleSegment = errors.New("segment was uploaded in a fenced leader epoch")
	// ErrBelowLogStart: the whole segment lies below the log start offset; sealing it is pointless.
	ErrBelowLogStart = errors.New("segment lies below the log start offset")
	// ErrInvalid: an edit's argument is out of its bounds.
	ErrInvalid = errors.New("invalid edit")
	// ErrTailFull: too many unverified segments; verify first.
	ErrTailFull = errors.New("manifest tail is full of unverified segments")
	// ErrCorrupt: bytes or fields break an invariant of the format.
	ErrCorrupt = errors.New("manifest is corrupt")
	// ErrFormat: a newer program wrote it.
	ErrFormat = errors.New("manifest has a newer format")
)
