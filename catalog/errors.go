package catalog

import (
	"errors"

	"github.com/varve-log/varve/catalog/register"
)

var (
	// ErrNotFound: the bucket holds no catalog.
	ErrNotFound = register.ErrNotFound
	// ErrConflict: other writers won CommitTries times in a row; nothing was changed.
	ErrConflict = register.ErrConflict
	// ErrUnknownOutcome: the write may have happened or may still happen; look at the newest state.
	ErrUnknownOutcome = register.ErrUnknownOutcome
	// ErrRolledBack: the bucket's catalog is older than what this agent saw, or gone: it was restored
	// from a copy, or the URL is wrong. The agent must not go on.
	ErrRolledBack = errors.New("the bucket's catalog is older than this agent remembers")
	// ErrForeign: the bucket belongs to another cluster than the data directory.
	ErrForeign = errors.New("the bucket belongs to another cluster")
	// ErrOverloaded: QueueMax commits wait already.
	ErrOverloaded = errors.New("too many catalog commits wait")
	// ErrClosed: the catalog was closed.
	ErrClosed = errors.New("catalog is closed")
	// ErrReadOnly: a Reader's manifest takes no edits.
	ErrReadOnly = errors.New("catalog was opened for reading only")
)
