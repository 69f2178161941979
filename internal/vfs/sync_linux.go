package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncData is fdatasync, which spares the journal a commit when only times changed.
func (f osFile) SyncData() error {
	for {
		err := unix.Fdatasync(int(f.f.Fd()))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return classify(&os.PathError{Op: "fdatasync", Path: f.f.Name(), Err: err})
		}
	}
}
