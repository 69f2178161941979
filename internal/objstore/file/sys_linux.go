package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback has the kernel begin to write a finished range, so that the sync at the end finds
// little left and does not stall the hot log's writes on the same disk.
func startWriteback(f *os.File, offset, length int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}
