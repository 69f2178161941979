package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/varve-log/varve/kafka/record"
)

// What is printed as JSON is JSON, and gives every byte back.
func TestRecordJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.Just([]byte(nil)),
			rapid.SliceOfN(rapid.Byte(), 0, 20),
			rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) }),
		)
		r := record.Record{
			Offset: 7, Timestamp: -1, Key: text.Draw(t, "key"), Value: text.Draw(t, "value"),
			Headers: []record.Header{{Key: rapid.String().Draw(t, "header"), Value: text.Draw(t, "hv")}},
		}
		var got map[string]any
		line := appendRecordJSON(nil, 3, r)
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		header := got["headers"].([]any)[0].(map[string]any)
		for _, field := range []struct {
			in   map[string]any
			name string
			want []byte
		}{
			{got, "key", r.Key},
			{got, "value", r.Value},
			{header, "key", []byte(r.Headers[0].Key)},
			{header, "value", r.Headers[0].Value},
		} {
			if back := textField(t, field.in, field.name); !reflect.DeepEqual(back, field.want) {
				t.Fatalf("%s: got %q, want %q", field.name, back, field.want)
			}
		}
	})
}

func textField(t *rapid.T, in map[string]any, name string) []byte {
	if encoded, ok := in[name+"_base64"].(string); ok {
		b, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if in[name] == nil {
		return nil
	}
	return []byte(in[name].(string))
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", lineBuffer+10)
	tests := []struct {
		name, input, separator string
		want                   []string
		err                    string
	}{
		{"no end of line at the end", "a\nb", "", []string{"a", "b"}, ""},
		{"windows", "a\r\n\r\nb\r\n", "", []string{"a", "", "b"}, ""},
		{"longer than the buffer", long + "\nb\n" + long, "", []string{long, "b", long}, ""},
		{"keys", "k::v::w\n::\n", "::", []string{"k=v::w", "="}, ""},
		{"no key", "k=v\nv\n", "=", []string{"k=v"}, `line 2 has no key separator "="`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &lineSource{
				in:        bufio.NewReaderSize(strings.NewReader(test.input), lineBuffer),
				separator: []byte(test.separator),
			}
			got, err := readAll(s)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %.100q, want %.100q", got, test.want)
			}
			if test.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

func readAll(s recordSource) ([]string, error) {
	var mem slab
	var got []string
	for {
		r := kgo.Record{}
		err := s.next(&r, &mem)
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		text := string(r.Value)
		if r.Key != nil {
			text = string(r.Key) + "=" + text
		}
		got = append(got, text)
	}
}

// Every codec and ack level appends, and what comes back is the same by consume and by replay.
func TestCodecsAndAcks(t *testing.T) {
	s := &session{t: t, dir: t.TempDir()}
	s.startAgent()
	s.run("varve topic create t --partitions 1")
	want := ""
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		for _, acks := range []string{"all", "1", "0"} {
			line := codec + " " + acks + " " + strings.Repeat("x", 100)
			s.stdin = line + "\n"
			got := s.run("varve produce t --codec " + codec + " --acks " + acks)
			if !strings.HasPrefix(got, "! appended 1 record ") {
				t.Fatalf("%s, acks=%s: %s", codec, acks, got)
			}
			want += line + "\n"
			// acks=0 has no answer to wait for, so that the next producer could overtake it.
			awaitRecords(s, strings.Count(want, "\n"))
		}
	}
	if got := s.run("varve consume t"); got != want {
		t.Errorf("consumed %q, want %q", got, want)
	}
	s.run("varve topic seal t")
	if got := s.run("varve replay t"); got != want+"! replayed 15 records of t\n" {
		t.Errorf("replayed %q, want %q", got, want)
	}
	if got := s.run("varve consume t --from 3 --count 2"); strings.Count(got, "\n") != 2 {
		t.Errorf("consumed %q", got)
	}
}

func awaitRecords(s *session, n int) {
	for range 1000 {
		if strings.Count(s.run("varve consume t"), "\n") >= n {
			return
		}
	}
	s.t.Fatalf("there are no %d records", n)
}

// The bench verbs work and tell what they measured.
func TestBench(t *testing.T) {
	s := &session{t: t, dir: t.TempDir()}
	s.startAgent()
	var result benchResult
	for line, want := range map[string]int64{
		"varve bench produce --topic free --records 500 --size 100 -o json":             500,
		"varve bench produce --topic paced --records 200 --rate 2000 --size 10 -o json": 200,
	} {
		if err := json.Unmarshal([]byte(s.raw(line)), &result); err != nil {
			t.Fatal(err)
		}
		l := result.LatencyMilliseconds
		if result.Records != want || l.P50 > l.P99 || l.P99 > l.Max || l.P50 <= 0 {
			t.Errorf("%s: got %+v, %+v", line, result, l)
		}
	}
	got := s.raw("varve bench consume --topic free --records 500 -o json")
	if err := json.Unmarshal([]byte(got), &result); err != nil || result.Records != 500 {
		t.Errorf("got %s (%v)", got, err)
	}
}
