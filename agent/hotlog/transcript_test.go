package hotlog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// transcript is a log that a file of testdata talks to.
type transcript struct {
	t    *testing.T
	disk *vfs.Mem
	log  *Log
	cfg  Config
	boot int
	now  time.Time
}

// The story of a log, told in testdata: re-write it with -rewrite.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		tr := &transcript{
			t: t, disk: vfs.NewMem(), cfg: DefaultConfig(), now: time.UnixMilli(1_000_000),
		}
		t.Cleanup(func() {
			if tr.log != nil {
				_ = tr.log.Close()
			}
		})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := tr.run(d)
			if err != nil {
				out += fmt.Sprintf("error: %v\n", err)
			}
			return out
		})
	})
}

func (tr *transcript) run(d *datadriven.TestData) (string, error) {
	number := func(key string, otherwise int64) int64 {
		if d.HasArg(key) {
			d.ScanArgs(tr.t, key, &otherwise)
		}
		return otherwise
	}
	switch d.Cmd {
	case "open", "kill", "power-loss", "reopen":
		return tr.open(d, number)
	case "append":
		return tr.append(number)
	case "marker":
		m := record.NewMarker(record.Marker(number("commit", 0)),
			kafka.ProducerID(number("pid", 1)), 0, 0, 1)
		a, err := tr.log.Append(m, tr.log.latestEpoch(), AppendOptions{})
		return fmt.Sprintf("[%d,%d)\n", a.BaseOffset, a.NextOffset), err
	case "roll":
		_, err := tr.log.Roll()
		tr.settle()
		return tr.state(), err
	case "read":
		return tr.read(number)
	case "release":
		n, bytes, err := tr.log.Release(kafka.Offset(number("below", 0)))
		return fmt.Sprintf("released %d segments, %d bytes\n%s", n, bytes, tr.state()), err
	case "truncate":
		err := tr.log.Truncate(kafka.Offset(number("to", 0)))
		return tr.state(), err
	case "reset":
		err := tr.log.Reset(Opening{StartOffset: kafka.Offset(number("start", 0))})
		return tr.state(), err
	case "checkpoint":
		return "", tr.log.Checkpoint()
	case "assign-epoch":
		return "", tr.log.AssignEpoch(kafka.LeaderEpoch(number("epoch", 0)))
	case "epoch-end":
		e, o := tr.log.EpochEnd(kafka.LeaderEpoch(number("epoch", 0)))
		return fmt.Sprintf("epoch %d ends at %d\n", e, o), nil
	case "time":
		o, ts, ok, err := tr.log.OffsetForTime(kafka.Timestamp(number("ts", 0)))
		return fmt.Sprintf("offset %d timestamp %d %v\n", o, ts, ok), err
	case "files":
		return tr.files()
	case "state":
		return tr.state(), nil
	}
	return "", fmt.Errorf("unknown command %s", d.Cmd)
}

func (l *Log) latestEpoch() kafka.LeaderEpoch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.epochs.latest())
}

func (tr *transcript) open(
	d *datadriven.TestData, number func(string, int64) int64,
) (string, error) {
	switch d.Cmd {
	case "reopen":
		if err := tr.log.Close(); err != nil {
			return "", err
		}
	case "kill":
		tr.settle()
		tr.crash(tr.disk.ProcessCrashClone())
	case "power-loss":
		tr.settle()
		tr.boot++
		tr.crash(tr.disk.CrashClone(uint64(number("seed", 0))))
	}
	tr.cfg.SegmentBytes = number("segment-bytes", tr.cfg.SegmentBytes)
	tr.cfg.FlushMessages = number("flush-messages", tr.cfg.FlushMessages)
	l, err := Open(tr.disk, testDir, tr.cfg, Opening{
		StartOffset: kafka.Offset(number("start", 0)),
	}, Deps{
		Files: NewFileSet(4), BootID: fmt.Sprint("boot", tr.boot),
		Now: func() time.Time { return tr.now },
	})
	if err != nil {
		return "", err
	}
	tr.log = l
	return tr.state(), nil
}

func (tr *transcript) crash(disk *vfs.Mem) {
	_ = tr.log.Close() // its disk is not looked at again
	tr.disk = disk
}

func (tr *transcript) append(number func(string, int64) int64) (string, error) {
	b := record.NewBuilder(record.None)
	if pid := number("pid", -1); pid >= 0 {
		b.SetProducer(kafka.ProducerID(pid), int16(number("pepoch", 0)), int32(number("seq", 0)))
	}
	b.Transactional = number("txn", 0) > 0
	for range number("n", 1) {
		b.Append(kafka.Timestamp(number("ts", 1)), nil, make([]byte, number("size", 10)))
	}
	batch, err := b.Build()
	if err != nil {
		return "", err
	}
	epoch := kafka.LeaderEpoch(number("epoch", int64(tr.log.latestEpoch())))
	a, err := tr.log.Append(batch, epoch, AppendOptions{})
	if err != nil {
		return "", err
	}
	tr.settle()
	out := fmt.Sprintf("[%d,%d)", a.BaseOffset, a.NextOffset)
	if a.Duplicate {
		out += " duplicate"
	}
	if a.MustFlush {
		out += " after a sync"
	}
	return out + "\n", nil
}

func (tr *transcript) read(number func(string, int64) int64) (string, error) {
	buf := make([]byte, number("buf", 10000))
	until := number("until", int64(tr.log.LogEndOffset()))
	n, err := tr.log.Read(buf, kafka.Offset(number("from", 0)), kafka.Offset(until))
	var out strings.Builder
	for rest := buf[:n]; len(rest) > 0; {
		b, r, nextErr := record.Next(rest)
		if nextErr != nil {
			return out.String(), nextErr
		}
		fmt.Fprintf(&out, "[%d,%d) epoch %d, %d bytes\n", b.BaseOffset(), b.NextOffset(),
			b.LeaderEpoch(), b.Size())
		rest = r
	}
	if n == 0 && err == nil {
		out.WriteString("nothing\n")
	}
	return out.String(), err
}

// settle waits until nothing runs behind the appends.
func (tr *transcript) settle() {
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for {
		tr.log.mu.Lock()
		running := tr.log.work.running
		tr.log.mu.Unlock()
		if !running {
			return
		}
		<-tick.C
	}
}

func (tr *transcript) state() string {
	l := tr.log
	out := fmt.Sprintf("log [%d,%d) flushed %d stable %d, %d bytes, epochs %v\n",
		l.LocalLogStartOffset(), l.LogEndOffset(), l.FlushedOffset(), l.LastStableOffset(),
		l.SizeBytes(), l.Epochs())
	for _, s := range l.Rolled() {
		out += fmt.Sprintf("  rolled [%d,%d) %d bytes, time %d to %d\n",
			s.BaseOffset, s.NextOffset, s.Bytes, s.MinTimestamp, s.MaxTimestamp)
	}
	for _, p := range l.Producers() {
		out += fmt.Sprintf("  producer %d epoch %d sequence %d offset %d txn %d\n",
			p.ProducerID, p.Epoch, p.LastSequence, p.LastOffset, p.CurrentTxnFirstOffset)
	}
	return out
}

func (tr *transcript) files() (string, error) {
	names, err := tr.disk.ReadDir(testDir)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintln(&out, name)
	}
	return out.String(), err
}
