package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

// openValue checks the version of a value and gives the reader of the rest.
func openValue(value []byte) (*kbin.Reader, error) {
	b := &kbin.Reader{Src: value}
	if version := b.Int16(); !b.Ok() || version != 0 {
		return nil, fmt.Errorf("%w: consumer group value of version %d", ErrUnknownRecord, version)
	}
	return b, nil
}

// tags reads tagged fields: it gives those that it is asked for and skips the others.
func tags(b *kbin.Reader, take func(tag uint32, field *kbin.Reader)) {
	for n := b.Uvarint(); n > 0 && b.Ok(); n-- {
		tag := b.Uvarint()
		field := &kbin.Reader{Src: b.Span(int(b.Uvarint()))}
		if take != nil && b.Ok() {
			take(tag, field)
		}
	}
}

// tag64 reads tagged fields of which the first holds 8 bytes, and gives those or 0.
func tag64(b *kbin.Reader) (value int64) {
	tags(b, func(tag uint32, field *kbin.Reader) {
		if tag == 0 {
			value = field.Int64()
		}
	})
	return value
}

// closeValue says whether the value was whole.
func closeValue(b *kbin.Reader, what string) error {
	if !b.Ok() {
		return fmt.Errorf("%w: %s is cut short", ErrUnknownRecord, what)
	}
	return nil
}

func optional(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func readStrings(b *kbin.Reader) []string {
	var list []string
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		list = append(list, b.CompactString())
	}
	return list
}

func readPartitions(b *kbin.Reader) []int32 {
	var list []int32
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		list = append(list, b.Int32())
	}
	return list
}

// decodeMember reads what a member said, into a copy of the member as known so far.
func decodeMember(value []byte, known consumerMember) (*consumerMember, error) {
	b, err := openValue(value)
	if err != nil {
		return nil, err
	}
	c := known
	c.instance, c.rack = optional(b.CompactNullableString()), optional(b.CompactNullableString())
	c.client = Client{ID: b.CompactString(), Host: b.CompactString()}
	c.topics = readStrings(b)
	slices.Sort(c.topics)
	c.topics = slices.Compact(c.topics)
	c.regex = optional(b.CompactNullableString())
	c.rebalance = time.Duration(b.Int32()) * time.Millisecond
	c.assignor = optional(b.CompactNullableString())
	c.classic = &classicSide{} // what no field at all means
	tags(b, func(tag uint32, field *kbin.Reader) {
		if tag == 0 {
			c.classic = decodeClassicSide(field)
		}
	})
	return &c, closeValue(b, "member of a consumer group")
}

func decodeClassicSide(b *kbin.Reader) *classicSide {
	if b.Int8() != 1 {
		return nil
	}
	side := &classicSide{session: time.Duration(b.Int32()) * time.Millisecond}
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		p := Protocol{Name: b.CompactString(), Metadata: slices.Clone(b.CompactBytes())}
		tags(b, nil)
		side.protocols = append(side.protocols, p)
	}
	return side
}

func decodeTarget(value []byte) (assignor.Assignment, error) {
	b, err := openValue(value)
	if err != nil {
		return nil, err
	}
	a := assignor.Assignment{}
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		topic := kafka.TopicID(b.Uuid())
		partitions := readPartitions(b)
		slices.Sort(partitions)
		if tags(b, nil); len(partitions) > 0 {
			a[topic] = slices.Compact(partitions)
		}
	}
	tags(b, nil)
	return a, closeValue(b, "target assignment")
}

func decodeCurrent(value []byte) (reconcile.Member, error) {
	b, err := openValue(value)
	if err != nil {
		return reconcile.Member{}, err
	}
	r := reconcile.Member{Epoch: b.Int32(), PreviousEpoch: b.Int32()}
	switch r.State = reconcile.State(b.Int8()); r.State {
	case reconcile.Stable, reconcile.Unrevoked, reconcile.Unreleased:
	default:
		r.State = reconcile.Unknown
	}
	r.Assigned, r.Revoking = readEpochs(b, r.Epoch), readEpochs(b, r.Epoch)
	tags(b, nil)
	return r, closeValue(b, "assignment of a member")
}

// readEpochs reads partitions. Records of Kafka before 4.2 have no epochs of their assignment: the
// member's stands for them.
func readEpochs(b *kbin.Reader, memberEpoch int32) reconcile.Epochs {
	e := reconcile.Epochs{}
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		topic := kafka.TopicID(b.Uuid())
		partitions := readPartitions(b)
		var epochs []int32
		tags(b, func(tag uint32, field *kbin.Reader) {
			if tag == 0 {
				epochs = readPartitions(field)
			}
		})
		for i, p := range partitions {
			if e[topic] == nil {
				e[topic] = map[int32]int32{}
			}
			e[topic][p] = max(memberEpoch, 0)
			if len(epochs) == len(partitions) {
				e[topic][p] = epochs[i]
			}
		}
	}
	return e
}

func decodeRegex(value []byte) (resolved, error) {
	b, err := openValue(value)
	if err != nil {
		return resolved{}, err
	}
	r := resolved{topics: readStrings(b), version: b.Int64(), at: kafka.Timestamp(b.Int64())}
	slices.Sort(r.topics)
	tags(b, nil)
	return r, closeValue(b, "regular expression")
}
