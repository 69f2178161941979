package cluster

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var writeGolden = flag.Bool("write-golden", false,
	"write golden files that do not exist; existing ones are never rewritten")

// goldenObjects uses every field of the head, of a delta and of a snapshot page.
func goldenObjects(t *testing.T) (Root, []Delta, Delta) {
	r := agent(1, "disk-a")
	r.Agent.Gossip, r.Agent.HTTP, r.Agent.Rack = "h:2", "h:3", "rack"
	r.Agent.Roles, r.Agent.RegisteredAt = []string{"broker"}, 1234
	s := commit(t, NewState("AAAAAAAAAAAAAAAAAAAAAA"), r, agent(2, "disk-b"),
		CreateTopic{
			ID: topicID(1), Name: "flights", CreatedAt: 99, Assignments: assign(2, 1, 2),
			Configs: map[string]string{"retention.ms": "-1"},
		},
		CreateTopic{ID: topicID(2), Name: "gone", Assignments: assign(1, 1)},
		AlterConfigs{AllAgents: true, Set: map[string]string{"x": "1"}},
		AlterConfigs{Agent: 1, Set: map[string]string{"y": "2"}})
	next := commit(t, s, DeleteTopic{ID: topicID(2), At: 77}, AllocateProducerIDs{Agent: 1},
		StartLeading{Agent: 1, PossibleLoss: true}, AlterConfigs{Agent: 1, Delete: []string{"y"}})
	last := commit(t, next, ForgetTopic{ID: topicID(2)}, MarkCleanStop{Agent: 2, Incarnation: 1})
	d1, _ := Diff(s, next, 2)
	d2, _ := Diff(next, last, 3)
	snap, objects, err := PlanSnapshot(s, Snapshot{}, nil, func() string { return "0a" })
	if err != nil {
		t.Fatal(err)
	}
	page, err := DecodePage(objects[len(objects)-1].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	root := Root{
		ClusterID: s.ClusterID, Changed: 3, Snapshot: snap, Inline: []Delta{d2},
		Deltas:  []DeltaRef{{Name: NewObjectName(2, "0b"), From: 1, To: 2, Bytes: 10}},
		Retired: []Retired{{Key: "cluster/deltas/x", At: 5}},
	}
	return root, []Delta{d1, d2}, page
}

// TestGoldenFiles holds the decoders to the bytes that the first release wrote. Empty and absent
// lists are the same to a reader, so it compares with what the present bytes read as.
func TestGoldenFiles(t *testing.T) {
	root, deltas, page := goldenObjects(t)
	raw, err := EncodeRoot(root)
	checkGolden(t, "head-1.json", raw, err, DecodeRoot)
	raw, err = EncodeDeltas(deltas)
	checkGolden(t, "deltas-1.json.gz", raw, err, DecodeDeltas)
	raw, err = EncodePage(page)
	checkGolden(t, "page-1.json.gz", raw, err, DecodePage)
}

func checkGolden[T any](
	t *testing.T, name string, now []byte, err error, decode func([]byte) (T, error),
) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "golden", name)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *writeGolden {
		raw, err = now, os.WriteFile(path, now, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	want, err := decode(now)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s reads as %+v, want %+v, %v", name, got, want, err)
	}
}

func TestDecodersRefuseNewerFormatsAndBrokenRuns(t *testing.T) {
	for raw, want := range map[string]error{
		`{"format":2,"cluster_id":"c"}`:             ErrFormat,
		`{"cluster_id":"c"}`:                        ErrCorrupt,
		`{"format":1}`:                              ErrCorrupt,
		`{"format":1,"cluster_id":"c","changed":3}`: ErrCorrupt,
		`{"format":1,"cluster_id":"c","changed":3,"inline":[{"from":1,"to":3}]}`:          ErrCorrupt,
		`{"format":1,"cluster_id":"c","deltas":[{"name":"x","from":0,"to":3}]}`:           ErrCorrupt,
		`{"format":1,"cluster_id":"c","changed":3,"inline":[{"from":0,"to":3}]}`:          nil,
		`{"format":1,"cluster_id":"c","snapshot":{"changed":0,"pages":[{"name":"1-a"}]}}`: ErrCorrupt,
	} {
		if _, err := DecodeRoot([]byte(raw)); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", raw, err, want)
		}
	}
}

func golden(f *testing.F, name string) []byte {
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

// addBoth seeds with an object and with its JSON, which mutates further than what gzip protects.
func addBoth(f *testing.F, raw []byte) {
	f.Add(raw)
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
}

// packed gzips what begins like JSON.
func packed(raw []byte) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return raw
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(raw)
	_ = w.Close()
	return out.Bytes()
}

func FuzzDecodeRoot(f *testing.F) {
	f.Add(golden(f, "head-1.json"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := DecodeRoot(raw)
		if err != nil {
			return
		}
		again, err := EncodeRoot(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeRoot(again); err != nil {
			t.Fatal(err)
		}
		s := NewState(r.ClusterID)
		for _, d := range r.Inline {
			if next, err := s.Advance(d); err == nil {
				s = next
			}
		}
	})
}

// FuzzDecodeDeltas feeds what decodes to a state: nothing panics, and what is accepted is a state
// that snapshots and reopens the same.
func FuzzDecodeDeltas(f *testing.F) {
	addBoth(f, golden(f, "deltas-1.json.gz"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ds, err := DecodeDeltas(packed(raw))
		if err != nil {
			return
		}
		s := NewState("c")
		for _, d := range ds {
			if next, err := s.Advance(d); err == nil {
				s = next
			}
		}
		if s.Changed <= 0 {
			return
		}
		snap, objects, err := PlanSnapshot(s, Snapshot{}, nil, func() string { return "a" })
		if err != nil {
			t.Fatal(err)
		}
		var pages []Delta
		for _, o := range objects {
			p, err := DecodePage(o.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, p)
		}
		if _, err := FromSnapshot("c", snap.Changed, pages); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	addBoth(f, golden(f, "page-1.json.gz"))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if d, err := DecodePage(packed(raw)); err == nil {
			_, _ = FromSnapshot("c", 1, []Delta{d})
		}
	})
}

func FuzzObjectName(f *testing.F) {
	f.Add(string(NewObjectName(7, "0a")))
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := ObjectName(s).Version(); ok && s[:20] != string(NewObjectName(v, "x"))[:20] {
			t.Fatalf("%q has version %d", s, v)
		}
	})
}
