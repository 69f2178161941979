package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/internal/objstore"
)

const (
	// fuzzHeapMax is what an agent that answers any requests may hold.
	fuzzHeapMax = 1 << 30
	// fuzzAnswerMax is by when a request must be answered that has nothing to wait for.
	fuzzAnswerMax = 60 * time.Second
	// fuzzPatience is how long the answer of a request that may wait is waited for.
	fuzzPatience = 20 * time.Millisecond
)

// mayWait are the APIs whose answer may take as long as their request says, or never come.
var mayWait = map[int16]bool{0: true, 1: true, 11: true, 14: true}

// fuzzedAPIs lists what the agent speaks, or the one that VARVE_FUZZ_API names by its key.
func fuzzedAPIs(tb testing.TB) []broker.API {
	h, err := api.New(nil, api.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		tb.Fatal(err)
	}
	var out []broker.API
	only := os.Getenv("VARVE_FUZZ_API")
	for _, a := range h.APIs() {
		if only == "" || only == fmt.Sprint(a.Key) {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		tb.Fatalf("there is no API with the key %q", only)
	}
	return out
}

// TestListFuzzedAPIs prints the keys that bench/fuzz-all gives its time to.
func TestListFuzzedAPIs(t *testing.T) {
	for _, a := range fuzzedAPIs(t) {
		t.Logf("api %d %s", a.Key, a.Name)
	}
}

// FuzzMeaning sends requests of every API that are well formed and mean anything: unknown groups,
// stale generations, foreign members, negative offsets, large arrays. Each is answered so that its
// version can be decoded, or its connection is closed; the agent never panics, and its memory stays
// bounded. The agent lives on from request to request, and so does what its answers told.
func FuzzMeaning(f *testing.F) {
	apis := fuzzedAPIs(f)
	a, failures := startFuzzed(f)
	known := newLearned()
	for i := range apis {
		for seed := range byte(4) {
			f.Add([]byte{byte(i), 255, seed, 3, 1, 4, 1, 5, 9, 2, 6})
			f.Add([]byte{byte(i), seed})
		}
	}
	var c net.Conn
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 || len(data) > 4096 {
			return
		}
		for _, topic := range a.AllTopics() {
			known.ids = keepLast(known.ids, [16]byte(topic.ID))
		}
		m := newMaker(data, known)
		e := apis[m.n(len(apis))]
		req := kmsg.RequestForKey(e.Key)
		m.fill(reflect.ValueOf(req).Elem(), "")
		req.SetVersion(e.Min + int16(m.n(int(e.Max-e.Min)+1)))
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", a.Addr().String()); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := exchange(c, req)
		switch {
		case err == nil:
			known.learn(reflect.ValueOf(resp), "")
		case errors.Is(err, os.ErrDeadlineExceeded) && !mayWait[e.Key]:
			t.Fatalf("%s version %d: no answer in %s: %+v", e.Name, req.GetVersion(), fuzzAnswerMax, req)
		case errors.Is(err, errAnswer):
			t.Fatalf("%s version %d: %v: %+v", e.Name, req.GetVersion(), err, req)
		}
		if err != nil {
			_ = c.Close()
			c = nil
		}
		if failures.text() != "" {
			t.Fatalf("%s version %d: %+v: %s", e.Name, req.GetVersion(), req, failures.text())
		}
		if n := heapBytes(); n > fuzzHeapMax {
			runtime.GC()
			if n = heapBytes(); n > fuzzHeapMax {
				t.Fatalf("%s version %d: %d bytes are held after %+v", e.Name, req.GetVersion(), n, req)
			}
		}
	})
}

var errAnswer = errors.New("answer cannot be decoded")

// exchange sends a request and reads its answer.
func exchange(c net.Conn, req kmsg.Request) (kmsg.Response, error) {
	patience := fuzzAnswerMax
	if mayWait[req.Key()] {
		patience = fuzzPatience
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID("fuzz"))
	if _, err := c.Write(format.AppendRequest(nil, req, 1)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(fuzzAnswerMax))
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	b = b[4:]
	if resp.IsFlexible() && req.Key() != 18 {
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return resp, nil
}

func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// panicked keeps the first panic that is logged.
type panicked struct{ seen chan string }

func (p *panicked) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "panic") {
		select {
		case p.seen <- string(b):
		default:
		}
	}
	return len(b), nil
}

func (p *panicked) text() string {
	select {
	case s := <-p.seen:
		return s
	default:
		return ""
	}
}

// startFuzzed starts an agent with small bounds and its bucket in memory.
func startFuzzed(f *testing.F) (*Agent, *panicked) {
	cfg := DefaultConfig()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", ""
	cfg.DataDir, cfg.Store = filepath.Join(f.TempDir(), "agent"), "mem://"
	cfg.CacheBytesMax, cfg.SweepInterval = 16<<20, 0
	cfg.Settings = map[string]string{
		"varve.topic.partitions.max": "20", "offsets.topic.num.partitions": "2",
		"transaction.state.log.num.partitions": "2", "group.initial.rebalance.delay.ms": "0",
		"group.max.size": "50", "max.incremental.fetch.session.cache.slots": "20",
	}
	failures := &panicked{seen: make(chan string, 1)}
	log := slog.New(slog.NewTextHandler(failures, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	with := testParts()
	with.wrapStore = func(s objstore.Store) objstore.Store { return s }
	a, err := startWith(ctx, cfg, log, with)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(a.kill)
	topics := []api.NewTopic{
		{Name: "t", Partitions: 2, ReplicationFactor: 1}, {Name: "u", Partitions: 1, ReplicationFactor: 1},
	}
	for _, r := range a.CreateTopics(ctx, topics, false) {
		if r.Err != nil {
			f.Fatal(r.Err)
		}
	}
	return a, failures
}
