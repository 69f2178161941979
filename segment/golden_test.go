package segment

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/varve-log/varve/kafka/record"
)

// A golden file is written once, by the version of the format that its folder names, and read for
// ever.
const goldenDir = "testdata/v1"

var writeGolden = flag.Bool("write-golden", false,
	"write golden files that are not there; one that is there is never written again")

func TestWriteGolden(t *testing.T) {
	if !*writeGolden {
		t.Skip("without -write-golden")
	}
	for name, g := range goldens(t) {
		s, object := sealed(t, g.data, g.id, g.options)
		if _, err := Verify(bytes.NewReader(object), s.Size()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var lines bytes.Buffer
		for _, line := range dump(t, object) {
			lines.Write(append(line, '\n'))
		}
		writeOnce(t, filepath.Join(goldenDir, name+".seg"), object)
		writeOnce(t, filepath.Join(goldenDir, name+".jsonl"), lines.Bytes())
	}
}

func writeOnce(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		t.Logf("%s is there and stays as it is", path)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func goldenFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(goldenDir, "*.seg"))
	if err != nil || len(paths) < 7 {
		t.Fatalf("%d golden files, %v", len(paths), err)
	}
	return paths
}

func TestGoldenFilesKeepReading(t *testing.T) {
	for _, path := range goldenFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			object, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(bytes.NewReader(object), int64(len(object))); err != nil {
				t.Fatal(err)
			}
			compareLines(t, dump(t, object), goldenLines(t, path), false)
		})
	}
}

func goldenLines(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(strings.TrimSuffix(path, ".seg") + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

func TestPythonReadsGoldenFiles(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here: the reader written from FORMAT.md is not run")
	}
	paths := goldenFiles(t)
	out, err := exec.Command(python,
		append([]string{"testdata/read_segment.py"}, paths...)...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderrOf(err))
	}
	var want [][]byte
	for _, path := range paths {
		want = append(want, goldenLines(t, path)...)
	}
	compareLines(t, bytes.Split(bytes.TrimSpace(out), []byte("\n")), want, true)
	t.Run("corrupt", func(t *testing.T) {
		object, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{len(object) / 2, len(object) - 40} {
			broken := bytes.Clone(object)
			broken[at] ^= 1
			path := filepath.Join(t.TempDir(), "broken.seg")
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			err := exec.Command(python, "testdata/read_segment.py", path).Run()
			if err == nil {
				t.Fatalf("python3 finds nothing wrong with byte %d of %d flipped", at, len(object))
			}
		}
	})
}

func stderrOf(err error) []byte {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.Stderr
	}
	return nil
}

// compareLines compares JSON lines; without the records of codecs that Python's library lacks, when
// told.
func compareLines(t *testing.T, got, want [][]byte, plainOnly bool) {
	t.Helper()
	skip, n := false, 0
	for _, line := range want {
		w := decodeLine(t, line)
		if batch, is := w["batch"].(map[string]any); is {
			codec := batch["codec"]
			skip = plainOnly && codec != "none" && codec != "gzip"
		} else if skip && w["segment"] == nil {
			continue
		}
		if n == len(got) {
			t.Fatalf("%d lines, the next should be\n%s", len(got), line)
		}
		if g := decodeLine(t, got[n]); !reflect.DeepEqual(g, w) {
			t.Fatalf("line %d is\n%s\nwant\n%s", n+1, got[n], line)
		}
		n++
	}
	if n != len(got) {
		t.Fatalf("%d lines too many, the first is\n%s", len(got)-n, got[n])
	}
}

func decodeLine(t *testing.T, line []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return v
}

// dump describes an object as testdata/read_segment.py does.
func dump(t *testing.T, object []byte) (lines [][]byte) {
	t.Helper()
	put := func(v any) {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	f, err := ReadFooter(bytes.NewReader(object), int64(len(object)))
	if err != nil {
		t.Fatal(err)
	}
	put(map[string]any{"segment": describe(f)})
	for rest := object[:f.Meta().DataBytes]; len(rest) > 0; {
		position := int(f.Meta().DataBytes) - len(rest)
		var b record.Batch
		if b, rest, err = record.Next(rest); err != nil {
			t.Fatal(err)
		}
		put(map[string]any{"batch": map[string]any{
			"position": position, "base_offset": b.BaseOffset(), "last_offset": b.LastOffset(),
			"leader_epoch": b.LeaderEpoch(), "codec": b.Codec().String(),
			"append_time":   b.TimestampType() == record.LogAppendTime,
			"transactional": b.IsTransactional(), "control": b.IsControl(),
			"max_timestamp": b.MaxTimestamp(), "records": b.Count(),
			"producer": []any{b.ProducerID(), b.ProducerEpoch(), b.BaseSequence()},
		}})
		it := b.Records(record.DefaultLimits())
		for it.Next() {
			put(recordLine(it.Record()))
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		it.Close()
	}
	return lines
}

func recordLine(r record.Record) map[string]any {
	headers := []any{}
	for _, h := range r.Headers {
		headers = append(headers, []any{h.Key, hexOrNull(h.Value)})
	}
	return map[string]any{
		"offset": r.Offset, "timestamp": r.Timestamp, "key": hexOrNull(r.Key),
		"value": hexOrNull(r.Value), "headers": headers,
	}
}

func hexOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return hex.EncodeToString(b)
}

func describe(f *Footer) map[string]any {
	m := f.Meta()
	epochs, aborted, producers, index := []any{}, []any{}, []any{}, []any{}
	for _, e := range f.Epochs() {
		epochs = append(epochs, []any{e.Epoch, e.StartOffset})
	}
	for _, a := range f.Aborted() {
		aborted = append(aborted, []any{a.ProducerID, a.FirstOffset, a.LastOffset, a.LastStableOffset})
	}
	for _, p := range f.Producers() {
		batches := []any{}
		for _, b := range p.Batches {
			batches = append(batches,
				[]any{b.FirstSequence, b.LastSequence, b.BaseOffset, b.LastOffset, b.Timestamp})
		}
		producers = append(producers, []any{
			p.ProducerID, p.Epoch, p.LastSequence, p.LastOffset, p.LastTimestamp,
			p.CurrentTxnFirstOffset, p.CoordinatorEpoch, batches,
		})
	}
	for i := range f.entries() {
		o, position := f.entry(i)
		index = append(index, []any{o, position, f.time(i)})
	}
	return map[string]any{
		"topic": m.Topic.Hex(), "partition": m.Partition, "leader_epoch": m.LeaderEpoch,
		"base_offset": m.BaseOffset, "next_offset": m.NextOffset, "records": m.Records,
		"batches": m.Batches, "min_timestamp": m.MinTimestamp, "max_timestamp": m.MaxTimestamp,
		"has_control": m.HasControl, "has_gaps": m.HasGaps, "cluster": m.Cluster,
		"data_bytes": m.DataBytes, "footer_bytes": m.FooterBytes, "version": m.FormatVersion,
		"epochs": epochs, "aborted": aborted, "producers": producers, "index": index,
		"key_filter": f.filter != nil, "block_bytes": f.BlockBytes(),
	}
}

// TestSealStillWritesVersion1 holds what Seal writes today against the golden file of uncompressed
// batches, byte for byte: a change of the format must come with a new version.
func TestSealStillWritesVersion1(t *testing.T) {
	g := goldens(t)["plain"]
	_, object := sealed(t, g.data, g.id, g.options)
	want, err := os.ReadFile(filepath.Join(goldenDir, "plain.seg"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(object, want) {
		t.Fatalf("Seal writes %d bytes that differ from the %d of the golden file",
			len(object), len(want))
	}
}
