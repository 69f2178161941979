package api

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// serveFake starts a broker over a fake backend on a socket of its own.
func serveFake(t testing.TB, f *fake) (addr string) {
	t.Helper()
	return serveBackend(t, f, f)
}

// serveBackend starts a broker over a backend and tells f its port.
func serveBackend(t testing.TB, b Backend, f *fake) (addr string) {
	t.Helper()
	_, addr = startBroker(t, b, f)
	return addr
}

func startBroker(t testing.TB, b Backend, f *fake) (s *broker.Server, addr string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h, err := New(b, DefaultConfig(), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err = broker.New(h, broker.DefaultConfig(), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.agents[0].Port = int32(l.Addr().(*net.TCPAddr).Port)
	f.mu.Unlock()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// wireClient speaks the protocol without a client library's opinions.
type wireClient struct {
	t    testing.TB
	conn net.Conn
	next int32
}

func dial(t testing.TB, addr string) *wireClient {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wireClient{t: t, conn: c}
}

// send writes a request of a version and returns its correlation id.
func (c *wireClient) send(req kmsg.Request, version int16) int32 {
	c.t.Helper()
	req.SetVersion(version)
	c.next++
	b := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next)
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
	return c.next
}

// raw reads one answer: its correlation id and what follows.
func (c *wireClient) raw() (int32, []byte, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var size [4]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		return 0, nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.conn, b); err != nil {
		return 0, nil, err
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:], nil
}

// receive reads the answer to req, which must be next.
func (c *wireClient) receive(req kmsg.Request, id int32) kmsg.Response {
	c.t.Helper()
	got, b, err := c.raw()
	if err != nil {
		c.t.Fatalf("%s version %d: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	if got != id {
		c.t.Fatalf("answer to %d where %d is due", got, id)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() && req.Key() != 18 {
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		c.t.Fatalf("%s version %d: %v in %x", kmsg.NameForKey(req.Key()), req.GetVersion(), err, b)
	}
	if again := resp.AppendTo(nil); !bytes.Equal(again, b) {
		c.t.Fatalf("%s version %d: answer\n%x reads as\n%x", kmsg.NameForKey(req.Key()),
			req.GetVersion(), b, again)
	}
	return resp
}

func ask[R kmsg.Response](c *wireClient, req kmsg.Request, version int16) R {
	c.t.Helper()
	return c.receive(req, c.send(req, version)).(R)
}

// expectClosed fails unless the server closes the connection.
func (c *wireClient) expectClosed() {
	c.t.Helper()
	if _, b, err := c.raw(); !errors.Is(err, io.EOF) && !isReset(err) {
		c.t.Fatalf("connection is open: %x, %v", b, err)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// create makes a topic.
func (f *fake) create(t testing.TB, name string, partitions int32, configs ...string) *Topic {
	t.Helper()
	m := make(map[string]string)
	for i := 0; i < len(configs); i += 2 {
		m[configs[i]] = configs[i+1]
	}
	r := f.CreateTopics(t.Context(), []NewTopic{
		{Name: name, Partitions: partitions, ReplicationFactor: 1, Configs: m},
	}, false)
	if r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	return r[0].Topic
}

// batchOf builds a batch of values.
func batchOf(t testing.TB, ts kafka.Timestamp, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	for _, v := range values {
		b.Append(ts, nil, []byte(v))
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// produceRequest holds one batch for one partition.
func produceRequest(
	topic *Topic, partition int32, acks int16, records []byte,
) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Acks, r.TimeoutMillis = acks, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic.Name, topic.ID
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// fetchRequest asks for one partition.
func fetchRequest(topic *Topic, partition int32, from int64) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.ReplicaID = 0, 1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic.Name, topic.ID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, from, 1<<20
	p.CurrentLeaderEpoch = -1
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func client(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}
