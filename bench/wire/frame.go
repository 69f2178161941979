package wire

import (
	"encoding/binary"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The Produce request that frames are: key and version.
const (
	produceKey     = 0
	produceVersion = 11
)

// frameRoom is left before the batch for size, header and the fields before the records. A topic's
// name has at most 249 bytes.
const frameRoom = 384

// correlationAt is where a request's correlation id stands, counted from its size.
const correlationAt = 8

// produceTimeoutMillis is how long a broker may wait for replicas.
const produceTimeoutMillis = 30_000

// Frame is a Produce request with one batch for one partition. The batch is built in place: take
// Buffer, append the batch to it, and give the result to Seal.
type Frame struct {
	topic string
	acks  int16
	buf   []byte
}

// NewFrame makes a frame for batches of up to about bytesMax.
func NewFrame(topic string, acks int16, bytesMax int) *Frame {
	return &Frame{topic: topic, acks: acks, buf: make([]byte, frameRoom, frameRoom+bytesMax+8)}
}

// Buffer is where the batch goes: append to it.
func (f *Frame) Buffer() []byte { return f.buf[:frameRoom] }

// BatchStart is where in Buffer the batch begins.
func (f *Frame) BatchStart() int { return frameRoom }

// Seal makes the request around the batch that was appended to Buffer, and gives its bytes, which
// are valid until the frame is used again.
func (f *Frame) Seal(built []byte, partition int32) []byte {
	records := len(built) - frameRoom
	f.buf = append(built, 0, 0, 0) // tags of partition, topic and request
	var head [frameRoom]byte
	b := binary.BigEndian.AppendUint32(head[:0], 0)
	b = binary.BigEndian.AppendUint16(b, produceKey)
	b = binary.BigEndian.AppendUint16(b, produceVersion)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientID)))
	b = append(b, clientID...)
	b = append(b, 0) // tags
	b = append(b, 0) // no transaction
	b = binary.BigEndian.AppendUint16(b, uint16(f.acks))
	b = binary.BigEndian.AppendUint32(b, produceTimeoutMillis)
	b = append(b, 2) // one topic
	b = binary.AppendUvarint(b, uint64(len(f.topic)+1))
	b = append(b, f.topic...)
	b = append(b, 2) // one partition
	b = binary.BigEndian.AppendUint32(b, uint32(partition))
	b = binary.AppendUvarint(b, uint64(records+1))
	start := frameRoom - len(b)
	copy(f.buf[start:], b)
	frame := f.buf[start:]
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// SetCorrelation numbers a sealed frame.
func SetCorrelation(frame []byte, id int32) {
	binary.BigEndian.PutUint32(frame[correlationAt:], uint32(id))
}

// errShort is for responses that cannot be what was asked for.
var errShort = errors.New("produce response is cut short")

// ProduceError tells what the broker said of the one partition of a frame's response, as Receive
// gives it; nil when the records were taken.
func ProduceError(response []byte) error {
	const topicCountAt = 5 // correlation id and tags come before it
	if len(response) <= topicCountAt+1 {
		return errShort
	}
	name, n := binary.Uvarint(response[topicCountAt+1:])
	codeAt := topicCountAt + 1 + n + int(name) - 1 + 1 + 4 // name, partition count, partition
	if n <= 0 || name == 0 || name > 250 || len(response) < codeAt+2 {
		return errShort
	}
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(response[codeAt:])))
}
