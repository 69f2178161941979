package vfs

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Modes of what OS creates: the data of a log is its owner's affair.
const (
	fileMode = 0o640
	dirMode  = 0o750
)

// OS is the real file system.
func OS() FS { return osFS{} }

type osFS struct{}

var _ FS = osFS{}

func (osFS) Open(name string) (File, error) { return wrapOS(os.Open(name)) }

func (osFS) OpenReadWrite(name string) (File, error) {
	return wrapOS(os.OpenFile(name, os.O_RDWR, 0))
}

func (osFS) Create(name string) (File, error) {
	return wrapOS(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode))
}

func (osFS) Remove(name string) error             { return os.Remove(name) }
func (osFS) RemoveAll(name string) error          { return os.RemoveAll(name) }
func (osFS) Rename(oldName, newName string) error { return classify(os.Rename(oldName, newName)) }
func (osFS) MkdirAll(dir string) error            { return classify(os.MkdirAll(dir, dirMode)) }

func (osFS) ReadDir(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if err := firstError(err, d.Close()); err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

func (osFS) Stat(name string) (Info, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return Info{Size: st.Size(), ModTime: st.ModTime(), IsDir: st.IsDir()}, nil
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return classify(firstError(d.Sync(), d.Close()))
}

func (osFS) Space(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return Space{
		TotalBytes: int64(st.Blocks) * int64(st.Bsize), FreeBytes: int64(st.Bavail) * int64(st.Bsize),
	}, nil
}

func wrapOS(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, classify(err)
	}
	return osFile{f}, nil
}

// osFile adds to os.File what the interface asks for.
type osFile struct{ f *os.File }

func (f osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	if err != nil {
		return n, classify(err)
	}
	return n, nil
}

func (f osFile) Close() error              { return f.f.Close() }
func (f osFile) Sync() error               { return classify(f.f.Sync()) }
func (f osFile) Truncate(size int64) error { return classify(f.f.Truncate(size)) }

func (f osFile) Size() (int64, error) {
	st, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Fd gives the descriptor to whoever can send a file without copying it.
func (f osFile) Fd() uintptr { return f.f.Fd() }
