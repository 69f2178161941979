package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeBehind has the kernel begin to write the window at offset, and drops the one before it from the
// page cache once it is on disk. So the sync at the end finds little left and does not stall the hot
// log's writes on the same disk, dirty memory is bounded, and a copy uses the same few pages again.
func writeBehind(f *os.File, offset, length int64) {
	fd := int(f.Fd())
	_ = unix.SyncFileRange(fd, offset, length, unix.SYNC_FILE_RANGE_WRITE)
	if before := offset - length; before >= 0 {
		_ = unix.SyncFileRange(fd, before, length, unix.SYNC_FILE_RANGE_WAIT_BEFORE|
			unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
		_ = unix.Fadvise(fd, before, length, unix.FADV_DONTNEED)
	}
}

// forget drops a synced file from the page cache.
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
