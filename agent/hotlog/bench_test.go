package hotlog

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// benchBatch is one batch of about size bytes.
func benchBatch(b *testing.B, size int) record.Batch {
	bld := record.NewBuilder(record.None)
	value := make([]byte, 1000)
	for bld.Bytes() < size-record.HeaderSize {
		bld.Append(1000, nil, value)
	}
	return build(b, bld)
}

func benchLog(b *testing.B) *Log {
	cfg := DefaultConfig()
	cfg.SegmentBytes = 256 << 20
	l, err := Open(vfs.OS(), filepath.Join(b.TempDir(), "log"), cfg, Opening{},
		Deps{Files: NewFileSet(0)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.RemoveDir() })
	return l
}

var benchSizes = []int{1 << 10, 64 << 10, 1 << 20}

func BenchmarkAppend(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			l, batch := benchLog(b), benchBatch(b, size)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Append(batch, 0, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
				if l.SizeBytes() > 1<<30 {
					b.StopTimer()
					if _, _, err := l.Release(l.LogEndOffset()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkBarePwrite is the floor of BenchmarkAppend: the same writes and nothing else.
func BenchmarkBarePwrite(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			batch := benchBatch(b, size)
			b.SetBytes(int64(len(batch)))
			at := int64(0)
			for b.Loop() {
				if _, err := f.WriteAt(batch, at); err != nil {
					b.Fatal(err)
				}
				if at += int64(len(batch)); at > 1<<30 {
					b.StopTimer()
					at = 0
					if err := f.Truncate(0); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
		})
	}
}

func BenchmarkReadSequential(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			l, batch := benchLog(b), benchBatch(b, size)
			for l.SizeBytes() < 200<<20 {
				if _, err := l.Append(batch, 0, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			buf, from, end := make([]byte, 2<<20), kafka.Offset(0), l.LogEndOffset()
			b.ReportAllocs()
			total := int64(0)
			for b.Loop() {
				n, err := l.Read(buf, from, end)
				if err != nil {
					b.Fatal(err)
				}
				total += int64(n)
				if n == 0 {
					from = 0
					continue
				}
				from += kafka.Offset(n / len(batch) * int(batch.Count()))
			}
			b.SetBytes(total / int64(b.N))
		})
	}
}

func BenchmarkReadRandom(b *testing.B) {
	l, batch := benchLog(b), benchBatch(b, 4<<10)
	for l.SizeBytes() < 100<<20 {
		if _, err := l.Append(batch, 0, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	buf, end := make([]byte, 64<<10), l.LogEndOffset()
	b.ReportAllocs()
	from := kafka.Offset(0)
	for b.Loop() {
		from = (from + 7919) % end
		if _, err := l.Read(buf, from, end); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenAfterKill opens logs that hold 20 rolled segments and 1 MiB after the checkpoint.
func BenchmarkOpenAfterKill(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "log")
	cfg := DefaultConfig()
	cfg.SegmentBytes = 1 << 20
	deps := Deps{Files: NewFileSet(0), BootID: "boot"}
	l, err := Open(vfs.OS(), dir, cfg, Opening{}, deps)
	if err != nil {
		b.Fatal(err)
	}
	batch := benchBatch(b, 64<<10)
	for len(l.view.Load().segs) < 21 {
		mustAppend(b, l, batch)
	}
	waitRolled(b, l, 20)
	if err := l.Checkpoint(); err != nil {
		b.Fatal(err)
	}
	for range 14 {
		mustAppend(b, l, batch)
	}
	l.abandon() // as if killed
	for b.Loop() {
		l, err := Open(vfs.OS(), dir, cfg, Opening{}, deps)
		if err != nil {
			b.Fatal(err)
		}
		l.abandon()
	}
}

// BenchmarkRestart opens 2,000 logs after a kill, each with 10 rolled segments, 64 KiB checkpointed
// and 64 KiB not.
func BenchmarkRestart(b *testing.B) {
	const logs = 2000
	root := b.TempDir()
	cfg := DefaultConfig()
	cfg.SegmentBytes = 64 << 10
	deps := Deps{Files: NewFileSet(1000), BootID: "boot"}
	batch := benchBatch(b, 60<<10)
	dir := func(i int) string { return filepath.Join(root, fmt.Sprint(i)) }
	for i := range logs {
		l, err := Open(vfs.OS(), dir(i), cfg, Opening{}, deps)
		if err != nil {
			b.Fatal(err)
		}
		for range 11 {
			mustAppend(b, l, batch)
		}
		waitRolled(b, l, 10)
		if err := l.Checkpoint(); err != nil {
			b.Fatal(err)
		}
		cfg := cfg
		cfg.SegmentBytes = 1 << 30
		if err := l.SetConfig(cfg); err != nil {
			b.Fatal(err)
		}
		mustAppend(b, l, batch)
		l.abandon()
	}
	for b.Loop() {
		var group errgroup.Group
		group.SetLimit(8)
		for i := range logs {
			group.Go(func() error {
				l, err := Open(vfs.OS(), dir(i), cfg, Opening{}, deps)
				if err == nil && len(l.Rolled()) != 10 {
					err = fmt.Errorf("%d rolled", len(l.Rolled()))
				}
				if err == nil {
					l.abandon()
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}
