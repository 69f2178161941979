package api

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// null is a partition that takes everything and keeps nothing.
type null struct {
	fakePartition
	at kafka.Offset
}

func (n *null) Append(b []byte, o AppendOptions) (Appended, error) {
	batch := record.Batch(b)
	batch.SetBaseOffset(n.at)
	a := Appended{BaseOffset: n.at, NextOffset: batch.NextOffset(), AppendTime: o.AppendTime}
	n.at = a.NextOffset
	return a, nil
}

func (n *null) OnCommitted(_ kafka.Offset, fn func(error)) { fn(nil) }

// nullBackend leads null partitions only.
type nullBackend struct {
	*fake
	p null
}

func (n *nullBackend) Partition(kafka.TopicPartition) (Partition, error) { return &n.p, nil }

// produceFrame is a whole request of one batch of records of size bytes, about total bytes.
func produceFrame(b *testing.B, topic *Topic, total, size int) (frame []byte, answer int) {
	build := record.NewBuilder(record.None)
	for build.Bytes() < total {
		build.Append(now(), nil, make([]byte, size))
	}
	batch, err := build.Build()
	if err != nil {
		b.Fatal(err)
	}
	req := produceRequest(topic, 0, -1, batch)
	req.SetVersion(9)
	frame = kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)
	resp := req.ResponseKind()
	resp.SetVersion(9)
	p := kmsg.NewProduceResponseTopicPartition()
	t := kmsg.NewProduceResponseTopic()
	t.Topic, t.Partitions = topic.Name, append(t.Partitions, p)
	resp.(*kmsg.ProduceResponse).Topics = append(resp.(*kmsg.ProduceResponse).Topics, t)
	return frame, len(resp.AppendTo(nil)) + 9
}

// drive sends b.N frames with some in flight and reports what the process used beyond time.
func drive(b *testing.B, addr string, frame []byte, answer int) {
	const inFlight = 5
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	slots := make(chan struct{}, inFlight)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	used := cpu()
	b.ResetTimer()
	go func() {
		for range b.N {
			slots <- struct{}{}
			if _, err := c.Write(frame); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, answer)
	for range b.N {
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		<-slots
	}
	b.StopTimer()
	gigabytes := float64(len(frame)) * float64(b.N) / 1e9
	b.ReportMetric((cpu()-used).Seconds()/gigabytes, "cpu-s/GB")
}

// cpu is the processor time of this process, the client's part included.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchmarkProduce(b *testing.B, size int) {
	f := &nullBackend{fake: newFake()}
	topic := f.create(b, "t", 1)
	frame, answer := produceFrame(b, topic, 64<<10, size)
	drive(b, serveBackend(b, f, f.fake), frame, answer)
}

func BenchmarkProduce1KiB(b *testing.B) { benchmarkProduce(b, 1<<10) }
func BenchmarkProduce100B(b *testing.B) { benchmarkProduce(b, 100) }

// BenchmarkSink is the floor: the same client and sockets, CRC and ack, without a protocol.
func BenchmarkSink(b *testing.B) {
	f := newFake()
	topic := f.create(b, "t", 1)
	frame, answer := produceFrame(b, topic, 64<<10, 1<<10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		buf, table := make([]byte, len(frame)), crc32.MakeTable(crc32.Castagnoli)
		ack := make([]byte, answer)
		for {
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			binary.BigEndian.PutUint32(ack, crc32.Checksum(buf, table))
			if _, err := c.Write(ack); err != nil {
				return
			}
		}
	}()
	drive(b, l.Addr().String(), frame, answer)
}

// BenchmarkCheck is the validation of one batch alone.
func BenchmarkCheck(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "100B": 100} {
		b.Run(name, func(b *testing.B) {
			build := record.NewBuilder(record.None)
			for build.Bytes() < 64<<10 {
				build.Append(now(), nil, make([]byte, size))
			}
			batch, err := build.Build()
			if err != nil {
				b.Fatal(err)
			}
			topic := newFake().create(b, "t", 1)
			c := checker{version: 9, now: now()}
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, f := c.check(batch, &topic.Settings); f.code != codeNone {
					b.Fatal(f)
				}
			}
		})
	}
}

// BenchmarkFetch is raw fetches of 1 MiB, one after the other.
func BenchmarkFetch(b *testing.B) {
	f := newFake()
	topic := f.create(b, "t", 1)
	batch := batchOf(b, now(), string(make([]byte, 1<<20-100)))
	if _, err := f.partition("t").Append(batch, AppendOptions{}); err != nil {
		b.Fatal(err)
	}
	c, err := net.Dial("tcp", serveFake(b, f))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	req := fetchRequest(topic, 0, 0)
	req.SetVersion(12)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	buf := make([]byte, 2<<20)
	b.ReportAllocs()
	used, total := cpu(), 0
	for b.Loop() {
		if _, err := c.Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf[:4]); err != nil {
			b.Fatal(err)
		}
		n := int(binary.BigEndian.Uint32(buf))
		if _, err := io.ReadFull(c, buf[:n]); err != nil {
			b.Fatal(err)
		}
		total += n
	}
	b.SetBytes(int64(total / b.N))
	b.ReportMetric((cpu()-used).Seconds()/(float64(total)/1e9), "cpu-s/GB")
}
