package vfs

import "golang.org/x/sys/unix"

// startWriteback uses sync_file_range, which neither commits the journal nor waits for it.
func (f osFile) startWriteback(off, n int64) {
	_ = unix.SyncFileRange(int(f.f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE) // a hint
}

// awaitWriteback waits for what startWriteback began.
func (f osFile) awaitWriteback(off, n int64) {
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE |
		unix.SYNC_FILE_RANGE_WAIT_AFTER
	_ = unix.SyncFileRange(int(f.f.Fd()), off, n, all) // a hint
}
