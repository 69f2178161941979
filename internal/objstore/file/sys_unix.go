//go:build linux || darwin || freebsd

package file

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const checksumAttr = "user.varve.crc32c"

// tryLock takes an exclusive lock of the open file; false means that another holds it. It ends with
// the file's last descriptor, so with the process at the latest.
func tryLock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

func releaseLock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

func inode(st fs.FileInfo) uint64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Ino
	}
	return 0
}

// saveChecksum keeps the checksum beside the bytes, on file systems with extended attributes.
func saveChecksum(f *os.File, crc uint32) {
	_ = unix.Fsetxattr(int(f.Fd()), checksumAttr, binary.BigEndian.AppendUint32(nil, crc), 0)
}

func loadChecksum(f *os.File) (crc uint32, ok bool) {
	var b [4]byte
	n, err := unix.Fgetxattr(int(f.Fd()), checksumAttr, b[:])
	if err != nil || n != len(b) {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[:]), true
}
