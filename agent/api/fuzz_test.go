package api

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/kafka"
)

// pipeListener accepts connections in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// FuzzRequest sends one frame of any API with an arbitrary body to a backend with a topic "t" of
// two partitions. It is answered in a form that its version can be decoded from, or the
// connection is closed; the handler never panics.
func FuzzRequest(f *testing.F) {
	seed := newFake()
	topic := seed.create(f, "t", 2)
	all := probes(topic, batchOf(f, kafka.Timestamp(1_700_000_000_000), "a", "b"))
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID("fuzz"))
	for _, e := range allEndpoints() {
		for v := e.min; v <= e.max; v++ {
			req, _ := all[e.key](v)
			req.SetVersion(v)
			f.Add(format.AppendRequest(nil, req, 1)[4:])
		}
	}
	panics := new(panicLog)
	l := fuzzServer(f, seed, panics)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < 10 || len(frame) > 1<<16 {
			return
		}
		seed.reset(topic)
		client, server := net.Pipe()
		defer func() { _ = client.Close() }()
		l.conns <- server
		go func() {
			head := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
			_, _ = client.Write(append(head, frame...))
		}()
		// Long polls and acks=0 have no answer in this time, and end with the connection.
		_ = client.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		checkAnswer(t, client, frame)
		if panics.seen != "" {
			t.Fatal(panics.seen)
		}
	})
}

// checkAnswer reads an answer, if there is one, and decodes it.
func checkAnswer(t *testing.T, c net.Conn, frame []byte) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		t.Fatal(err)
	}
	// An answer that has begun gets its time: the machine may be busy.
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	key := int16(binary.BigEndian.Uint16(frame))
	resp := kmsg.ResponseForKey(key)
	resp.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
	if key == 18 && resp.GetVersion() > 4 {
		resp.SetVersion(0)
	}
	b = b[4:]
	if resp.IsFlexible() && key != 18 {
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		t.Fatalf("%s version %d: answer %x: %v", kmsg.NameForKey(key), resp.GetVersion(), b, err)
	}
}

// panicLog keeps the first error that the broker logs: a panic of the handler.
type panicLog struct{ seen string }

func (p *panicLog) Write(b []byte) (int, error) {
	if p.seen == "" {
		p.seen = string(b)
	}
	return len(b), nil
}

func fuzzServer(f *testing.F, backend *fake, panics *panicLog) *pipeListener {
	log := slog.New(slog.NewTextHandler(panics, &slog.HandlerOptions{Level: slog.LevelError}))
	h, err := New(backend, DefaultConfig(), log, nil)
	if err != nil {
		f.Fatal(err)
	}
	s, err := broker.New(h, broker.DefaultConfig(), log, nil)
	if err != nil {
		f.Fatal(err)
	}
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	go func() { _ = s.Serve(l) }()
	f.Cleanup(func() { _ = s.Close() })
	return l
}

// reset leaves one topic, empty.
func (f *fake) reset(topic *Topic) {
	defer f.lock()()
	clear(f.byName)
	clear(f.byID)
	clear(f.parts)
	f.nextID, f.configs = 1, AgentConfigs{}
	f.store(topic)
}
