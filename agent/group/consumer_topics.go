package group

import (
	"encoding/binary"
	"maps"
	"slices"
	"unicode/utf16"

	"github.com/zeebo/xxh3"

	"github.com/varve-log/varve/kafka"
)

// Topic is what the coordinator has to know of a topic.
type Topic struct {
	Name       string
	ID         kafka.TopicID
	Partitions int32
}

// Image is the topics that exist at one time. It is immutable.
type Image interface {
	// Version grows whenever a topic is made, grows or is deleted. It may grow in between.
	Version() int64
	// ByName and ByID find a topic.
	ByName(name string) (Topic, bool)
	ByID(id kafka.TopicID) (Topic, bool)
	// Each calls f for every topic.
	Each(f func(Topic))
}

// NewImage makes the image of some topics.
func NewImage(version int64, topics ...Topic) Image {
	image := &image{version: version, names: map[string]Topic{}, ids: map[kafka.TopicID]Topic{}}
	for _, t := range topics {
		image.names[t.Name], image.ids[t.ID] = t, t
	}
	return image
}

type image struct {
	version int64
	names   map[string]Topic
	ids     map[kafka.TopicID]Topic
}

func (i *image) Version() int64 { return i.version }

func (i *image) ByName(name string) (Topic, bool) {
	t, ok := i.names[name]
	return t, ok
}

func (i *image) ByID(id kafka.TopicID) (Topic, bool) {
	t, ok := i.ids[id]
	return t, ok
}

func (i *image) Each(f func(Topic)) {
	for _, name := range slices.Sorted(maps.Keys(i.names)) {
		f(i.names[name])
	}
}

// topicHashes remembers what topics hash to, while they stay as they are.
type topicHashes map[string]topicHash

type topicHash struct {
	topic Topic
	hash  uint64
}

// topicHashesMax bounds how many are remembered (V10).
const topicHashesMax = 100_000

// of is the hash of a topic as Kafka 4.3 computes it: XXH3 over a magic byte, id, name and partitions.
// Racks are not in it, as in a Kafka whose brokers name none.
func (h topicHashes) of(t Topic) uint64 {
	if have, ok := h[t.Name]; ok && have.topic == t {
		return have.hash
	}
	b := make([]byte, 0, 1+16+2*len(t.Name)+8+4*int(t.Partitions))
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(t.ID[:8]))
	b = binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(t.ID[8:]))
	units := utf16.Encode([]rune(t.Name))
	for _, unit := range units {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(units)))
	b = binary.LittleEndian.AppendUint32(b, uint32(t.Partitions))
	for i := range t.Partitions {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	hash := xxh3.Hash(b)
	if len(h) >= topicHashesMax {
		clear(h)
	}
	h[t.Name] = topicHash{t, hash}
	return hash
}

// metadataHash tells whether any topic that a group subscribes to was made, deleted or grew: the hash of
// the hashes of those that exist, in the order of their names. 0: none exists.
func (m *Machine) metadataHash(subscribed map[string]subscribers) int64 {
	names := make([]string, 0, len(subscribed))
	for name := range subscribed {
		names = append(names, name)
	}
	slices.Sort(names)
	image := m.topics.Image()
	var b []byte
	for _, name := range names {
		if t, ok := image.ByName(name); ok {
			b = binary.LittleEndian.AppendUint64(b, m.hashes.of(t))
		}
	}
	if len(b) == 0 {
		return 0
	}
	return int64(xxh3.Hash(b))
}
