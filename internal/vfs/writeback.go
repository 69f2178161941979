package vfs

// writeBacker is a file whose system can be told when to write what it holds.
type writeBacker interface {
	startWriteback(off, n int64)
	awaitWriteback(off, n int64)
}

// StartWriteback has the system begin to write [off, off+n) of a file to disk, where it can be told
// so. It does not wait, promises nothing about a crash, and does nothing for files of other kinds.
func StartWriteback(f File, off, n int64) {
	if w, ok := f.(writeBacker); ok && n > 0 {
		w.startWriteback(off, n)
	}
}

// AwaitWriteback waits until what StartWriteback began for that range is written, so that whoever
// writes much leaves room in the system's memory for others. It promises as little.
func AwaitWriteback(f File, off, n int64) {
	if w, ok := f.(writeBacker); ok && n > 0 {
		w.awaitWriteback(off, n)
	}
}
