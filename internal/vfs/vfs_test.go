package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// Every implementation behaves alike.
func TestConformance(t *testing.T) {
	for name, f := range map[string]FS{"os": OS(), "mem": NewMem(), "faulty": NewFaulty(NewMem())} {
		t.Run(name, func(t *testing.T) { conformance(t, f, filepath.Join(t.TempDir(), "a", "b")) })
	}
}

func conformance(t *testing.T, f FS, dir string) {
	path := filepath.Join(dir, "file")
	if _, err := f.ReadDir(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := f.Create(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	must(t, f.MkdirAll(dir))
	if _, err := f.OpenReadWrite(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	file, err := f.Create(path)
	must(t, err)
	for _, w := range []struct {
		s  string
		at int64
	}{{"hello", 0}, {"world", 7}, {"HE", 0}} {
		n, err := file.WriteAt([]byte(w.s), w.at)
		must(t, err)
		if n != len(w.s) {
			t.Fatalf("wrote %d", n)
		}
	}
	must(t, errors.Join(file.Sync(), file.SyncData(), f.SyncDir(dir)))
	buf := make([]byte, 20)
	if n, err := file.ReadAt(buf, 2); err != io.EOF || string(buf[:n]) != "llo\x00\x00world" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	if n, err := file.ReadAt(buf, 99); n != 0 || err != io.EOF {
		t.Fatalf("%d, %v", n, err)
	}
	must(t, file.Truncate(5))
	must(t, f.Rename(path, path+"2"))
	if size, err := file.Size(); size != 5 || err != nil {
		t.Fatalf("size %d, %v", size, err)
	}
	must(t, f.Remove(path+"2"))
	if _, err := file.ReadAt(buf[:5], 0); err != nil || string(buf[:5]) != "HEllo" {
		t.Fatalf("read of a removed file: %q, %v", buf[:5], err)
	}
	must(t, file.Close())
	if err := file.Close(); err == nil {
		t.Fatal("closed twice")
	}
	if err := f.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	atomicFiles(t, f, dir)
}

func atomicFiles(t *testing.T, f FS, dir string) {
	path := filepath.Join(dir, "state")
	for _, content := range []string{"first", "the second"} {
		must(t, WriteFileAtomic(f, path, []byte(content), true))
		if b, err := ReadFile(f, path, 100); err != nil || string(b) != content {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if _, err := ReadFile(f, path, 3); err == nil {
		t.Fatal("read more than allowed")
	}
	names, err := f.ReadDir(dir)
	if err != nil || !slices.Equal(names, []string{"state"}) {
		t.Fatalf("%v, %v", names, err)
	}
	if st, err := f.Stat(path); err != nil || st.Size != 10 || st.IsDir {
		t.Fatalf("%+v, %v", st, err)
	}
	if s, err := f.Space(dir); err != nil || s.FreeBytes <= 0 || s.TotalBytes < s.FreeBytes {
		t.Fatalf("%+v, %v", s, err)
	}
	must(t, f.RemoveAll(filepath.Dir(dir)))
	if _, err := f.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f FS, name, content string, sync bool) {
	t.Helper()
	file, err := f.Create(name)
	must(t, err)
	_, err = file.WriteAt([]byte(content), 0)
	must(t, err)
	if sync {
		must(t, file.Sync())
	}
	must(t, file.Close())
}

// Over many seeds a power loss keeps what was synced, always, and what was not, sometimes.
func TestCrashCloneKeepsWhatWasSynced(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(300) {
		m := NewMem()
		must(t, m.MkdirAll("/d"))
		write(t, m, "/d/safe", "safe", true)
		must(t, m.SyncDir("/d"))
		write(t, m, "/d/unnamed", "synced, but its name is not", true)
		write(t, m, "/d/new", "new", true)
		must(t, m.Rename("/d/new", "/d/safe"))
		grown, err := m.Create("/d/grown")
		must(t, err)
		_, err = grown.WriteAt(bytes.Repeat([]byte{1}, 1000), 0)
		must(t, err)
		must(t, errors.Join(grown.Sync(), m.SyncDir("/d")))
		_, err = grown.WriteAt(bytes.Repeat([]byte{2}, 3000), 1000)
		must(t, err)

		c := m.CrashClone(seed)
		if b, err := ReadFile(c, "/d/safe", 99); err != nil || string(b) != "new" {
			t.Fatalf("%q, %v", b, err)
		}
		b, err := ReadFile(c, "/d/grown", 9999)
		if err != nil || len(b) < 1000 || !bytes.Equal(b[:1000], bytes.Repeat([]byte{1}, 1000)) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		switch tail := b[1000:]; {
		case len(tail) == 0:
			seen["lost"]++
		case bytes.Count(tail, []byte{2}) == 3000:
			seen["kept"]++
		default:
			seen["torn"]++
		}
		if again, _ := ReadFile(m.CrashClone(seed), "/d/grown", 9999); !bytes.Equal(again, b) {
			t.Fatal("the same seed gives another disk")
		}
	}
	if seen["torn"] == 0 || seen["kept"] == 0 {
		t.Fatalf("%v", seen)
	}
}

func TestCrashCloneMayLoseNames(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		m := NewMem()
		must(t, m.MkdirAll("/d"))
		write(t, m, "/d/old", "old", true)
		must(t, m.SyncDir("/d"))
		must(t, m.Rename("/d/old", "/d/moved"))
		write(t, m, "/d/created", "x", true)
		names, err := m.CrashClone(seed).ReadDir("/d")
		must(t, err)
		for _, name := range names {
			seen[name]++
		}
		if killed, _ := m.ProcessCrashClone().ReadDir("/d"); len(killed) != 2 {
			t.Fatalf("a killed process lost names: %v", killed)
		}
	}
	for _, name := range []string{"old", "moved", "created"} {
		if n := seen[name]; n == 0 || n == 200 {
			t.Fatalf("%s survived %d times of 200", name, n)
		}
	}
}

func TestFaulty(t *testing.T) {
	f := NewFaulty(NewMem())
	must(t, f.MkdirAll("/d"))
	file, err := f.Create("/d/a.log")
	must(t, err)
	f.SetRoom(4)
	n, err := file.WriteAt([]byte("123456"), 0)
	if n != 4 || !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%d, %v", n, err)
	}
	f.Heal()
	f.Inject(Fault{Op: OpWrite, NameHas: ".log", After: 1, Times: 1, Partial: 2})
	_, err = file.WriteAt([]byte("x"), 0)
	must(t, err)
	n, err = file.WriteAt([]byte("yyyy"), 0)
	if n != 2 || !errors.Is(err, syscall.EIO) || errors.Is(err, ErrDiskFull) {
		t.Fatalf("%d, %v", n, err)
	}
	_, err = file.WriteAt([]byte("z"), 0)
	must(t, err)
	for _, op := range []Op{OpSync, OpSyncDir, OpRename, OpRemove, OpOpen, OpTruncate, OpRead} {
		f.Inject(Fault{Op: op, Times: 1})
	}
	_, openErr := f.Open("/d/a.log")
	_, readErr := file.ReadAt(make([]byte, 1), 0)
	for i, err := range []error{
		file.Sync(), f.SyncDir("/d"), f.Rename("/d/a.log", "/d/b"), f.Remove("/d/a.log"),
		openErr, file.Truncate(0), readErr,
	} {
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
	must(t, file.SyncData())
	if f.Hits() != 9 {
		t.Fatalf("%d hits", f.Hits())
	}
}
