package group

import (
	"cmp"
	"maps"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// committed is one committed offset.
type committed struct {
	offset      kafka.Offset
	leaderEpoch kafka.LeaderEpoch
	metadata    string
	at          kafka.Timestamp
	expires     kafka.Timestamp // NoTimestamp: by Config.OffsetsRetention
	topic       kafka.TopicID   // zero: not known
	order       uint64          // Machine.applied when it was taken in
}

// place names a partition by its topic's name, as commits do.
type place struct {
	topic     string
	partition int32
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition))
}

// offsets is what a group has committed, by topic and partition.
type offsets struct {
	byTopic map[string]map[int32]*committed
	// open has the producers whose undecided transactions commit a partition's offset.
	open map[place][]kafka.ProducerID
}

// none reports whether nothing is held.
func (o *offsets) none() bool { return len(o.byTopic) == 0 && len(o.open) == 0 }

// get finds a committed offset.
func (o *offsets) get(topic string, partition int32) *committed { return o.byTopic[topic][partition] }

// of is the offsets of a topic by partition, made if need be. Whoever asks puts one in.
func (o *offsets) of(topic string) map[int32]*committed {
	partitions := o.byTopic[topic]
	if partitions == nil {
		if o.byTopic == nil {
			o.byTopic = make(map[string]map[int32]*committed)
		}
		partitions = make(map[int32]*committed)
		o.byTopic[topic] = partitions
	}
	return partitions
}

// put takes in an offset in place of the one before.
func put(partitions map[int32]*committed, partition int32, c committed) {
	if have := partitions[partition]; have != nil {
		*have = c
		return
	}
	partitions[partition] = &c
}

func (o *offsets) remove(topic string, partition int32) {
	partitions := o.byTopic[topic]
	delete(partitions, partition)
	if len(partitions) == 0 {
		delete(o.byTopic, topic)
	}
}

// topics lists the topics with offsets, in order.
func (o *offsets) topics() []string { return slices.Sorted(maps.Keys(o.byTopic)) }

// partitions lists the partitions of a topic with offsets, in order.
func (o *offsets) partitions(topic string) []int32 {
	return slices.Sorted(maps.Keys(o.byTopic[topic]))
}

// undecided lists the partitions with open transactions, in order.
func (o *offsets) undecided() []place {
	return slices.SortedFunc(maps.Keys(o.open), place.compare)
}

// begin notes that a producer's open transaction commits a partition.
func (o *offsets) begin(at place, id kafka.ProducerID) {
	if slices.Contains(o.open[at], id) {
		return
	}
	if o.open == nil {
		o.open = make(map[place][]kafka.ProducerID)
	}
	o.open[at] = append(o.open[at], id)
}

// end notes that the transaction is decided.
func (o *offsets) end(at place, id kafka.ProducerID) {
	left := slices.DeleteFunc(o.open[at], func(p kafka.ProducerID) bool { return p == id })
	if len(left) == 0 {
		delete(o.open, at)
		return
	}
	o.open[at] = left
}

// pendingOffsets is what one producer's undecided transaction commits.
type pendingOffsets struct {
	byGroup map[string]map[place]committed
}

func (p *pendingOffsets) put(group string, at place, c committed) {
	places := p.byGroup[group]
	if places == nil {
		places = make(map[place]committed)
		p.byGroup[group] = places
	}
	places[at] = c
}

func (p *pendingOffsets) remove(group string, at place) {
	delete(p.byGroup[group], at)
	if len(p.byGroup[group]) == 0 {
		delete(p.byGroup, group)
	}
}
