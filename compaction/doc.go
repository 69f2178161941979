// Package compaction is the room for what happens to sealed segments after their commit. So far
// that is the sweep of objects that nothing refers to, in compaction/gc.
//
// Rewrites of sealed segments will live beside it: merging small ones, key compaction, columnar
// tables. They will add entries of another mode to the manifest and retire what they replace; the
// sweep deletes it after the grace time, like everything else.
//
// Not here: expiry by retention (tiering), which only moves the log start offset.
package compaction
