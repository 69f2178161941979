package hotlog

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka/record"
)

// BenchmarkCleanLog cleans 256 MiB of 1 KiB records on a real disk, in segments of 64 MiB, of which a
// quarter survives. MB/core-s counts what is cleaned against the processor time of the whole process:
// the bytes are read twice and written once.
func BenchmarkCleanLog(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.LZ4} {
		b.Run(codec.String(), func(b *testing.B) {
			const total = 256 << 20
			m := keys.NewMap(128<<20, 0.9)
			var used time.Duration
			b.SetBytes(total)
			for b.Loop() {
				b.StopTimer()
				l := dirtyLog(b, codec, total)
				o := CleanOptions{
					Map: m, Stable: l.LastStableOffset(), Now: time.Now(), DeleteRetention: time.Hour,
				}
				before := processTime(b)
				b.StartTimer()
				done, err := l.Clean(o)
				b.StopTimer()
				used += processTime(b) - before
				if err != nil || done.RecordsKept*5 < done.RecordsRead {
					b.Fatalf("%+v, %v", done, err)
				}
				if err := l.RemoveDir(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N)*total/1e6/used.Seconds(), "MB/core-s")
		})
	}
}

// dirtyLog holds total bytes of records before compression, in rolled segments.
func dirtyLog(b *testing.B, codec record.Codec, total int) *Log {
	b.Helper()
	cfg := DefaultConfig()
	cfg.SegmentBytes = 64 << 20
	l, err := Open(vfs.OS(), filepath.Join(b.TempDir(), "log"), cfg, Opening{},
		Deps{Files: NewFileSet(0)})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 1000)
	n := total >> 10
	for i := 0; i < n; {
		bld := record.NewBuilder(codec)
		for range 16 {
			for j := range value {
				value[j] = "abcdefghijklmnop"[(i*31+j*j)%16]
			}
			bld.Append(1, fmt.Appendf(nil, "key-%08d", i*7919%(n/4)), value)
			i++
		}
		mustAppend(b, l, build(b, bld))
	}
	if _, err := l.Roll(); err != nil {
		b.Fatal(err)
	}
	waitRolled(b, l, len(l.view.Load().segs)-1)
	return l
}

func processTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
