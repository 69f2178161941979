package hotlog

import "sync/atomic"

// Budget bounds the bytes of all logs that share it, so that a store that cannot be reached ends in
// refused appends and not in a full disk. It is safe for concurrent use.
type Budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// NewBudget allows limit bytes over all logs; 0 means no limit.
func NewBudget(limit int64) *Budget {
	b := &Budget{}
	b.limit.Store(limit)
	return b
}

// SetLimit changes the limit. Below what is used it only refuses further appends.
func (b *Budget) SetLimit(limit int64) { b.limit.Store(limit) }

// Limit in bytes, 0 for none.
func (b *Budget) Limit() int64 { return b.limit.Load() }

// Used tells how many bytes of segment files the open logs hold.
func (b *Budget) Used() int64 { return b.used.Load() }

// reserve counts n bytes, or nothing and false where they would exceed the limit.
func (b *Budget) reserve(n int64) bool {
	if b == nil {
		return true
	}
	used := b.used.Add(n)
	if limit := b.limit.Load(); limit > 0 && used > limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// add counts n bytes that are there already; a negative n gives them back.
func (b *Budget) add(n int64) {
	if b != nil {
		b.used.Add(n)
	}
}
