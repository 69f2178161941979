package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

// The versions of keys of consumer groups.
const (
	keyEpoch       int16 = 3  // the group: its epoch
	keyOldTopics   int16 = 4  // topics as Kafka before 4.1 wrote them; only its tombstone is written
	keyMember      int16 = 5  // what a member said when it joined
	keyTargetEpoch int16 = 6  // the epoch of the target assignment
	keyTarget      int16 = 7  // what a member is to have
	keyCurrent     int16 = 8  // what a member has
	keyRegex       int16 = 16 // the topics that match a regular expression
)

// consumerKey is the key of a record of a group, and of a member or regular expression of it.
func consumerKey(version int16, group string, of ...string) []byte {
	key := appendString(kbin.AppendInt16(nil, version), group)
	for _, s := range of {
		key = appendString(key, s)
	}
	return key
}

func consumerTombstone(version int16, group string, of ...string) coordinator.Record {
	return coordinator.Record{Key: consumerKey(version, group, of...)}
}

// valueVersion begins every value: all are of version 0.
func valueVersion() []byte { return kbin.AppendInt16(nil, 0) }

// appendTags ends a structure without tagged fields; appendTag64 one that may have the one field of 8
// bytes that exist here, left out if zero.
func appendTags(b []byte) []byte { return append(b, 0) }

func appendTag64(b []byte, value int64) []byte {
	if value == 0 {
		return appendTags(b)
	}
	return kbin.AppendInt64(append(b, 1, 0, 8), value)
}

func epochRecord(group string, epoch int32, hash int64) coordinator.Record {
	return coordinator.Record{
		Key:   consumerKey(keyEpoch, group),
		Value: appendTag64(kbin.AppendInt32(valueVersion(), epoch), hash),
	}
}

func targetEpochRecord(group string, epoch int32, at kafka.Timestamp) coordinator.Record {
	return coordinator.Record{
		Key:   consumerKey(keyTargetEpoch, group),
		Value: appendTag64(kbin.AppendInt32(valueVersion(), epoch), int64(at)),
	}
}

func memberRecord(group string, c *consumerMember) coordinator.Record {
	b := appendOptional(valueVersion(), c.instance)
	b = appendOptional(b, c.rack)
	b = kbin.AppendCompactString(b, c.client.ID)
	b = kbin.AppendCompactString(b, c.client.Host)
	b = appendStrings(b, c.topics)
	b = kbin.AppendCompactString(b, c.regex)
	b = kbin.AppendInt32(b, int32(c.rebalance.Milliseconds()))
	b = appendOptional(b, c.assignor)
	classic := []byte{0} // null
	if c.classic != nil {
		classic = kbin.AppendInt32([]byte{1}, int32(c.classic.session.Milliseconds()))
		classic = kbin.AppendCompactArrayLen(classic, len(c.classic.protocols))
		for _, p := range c.classic.protocols {
			classic = kbin.AppendCompactString(classic, p.Name)
			classic = appendTags(kbin.AppendCompactBytes(classic, p.Metadata))
		}
		classic = appendTags(classic)
	}
	b = kbin.AppendUvarint(append(b, 1, 0), uint32(len(classic)))
	return coordinator.Record{Key: consumerKey(keyMember, group, c.id), Value: append(b, classic...)}
}

// appendOptional writes a string that is null where it is empty.
func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return kbin.AppendCompactNullableString(b, nil)
	}
	return kbin.AppendCompactString(b, s)
}

func appendStrings(b []byte, list []string) []byte {
	b = kbin.AppendCompactArrayLen(b, len(list))
	for _, s := range list {
		b = kbin.AppendCompactString(b, s)
	}
	return b
}

func targetRecord(group, member string, a assignor.Assignment) coordinator.Record {
	b := kbin.AppendCompactArrayLen(valueVersion(), len(a))
	for _, topic := range a.Topics() {
		b = appendTags(appendPartitions(kbin.AppendUuid(b, topic), a[topic]))
	}
	return coordinator.Record{Key: consumerKey(keyTarget, group, member), Value: appendTags(b)}
}

func appendPartitions(b []byte, partitions []int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(partitions))
	for _, p := range partitions {
		b = kbin.AppendInt32(b, p)
	}
	return b
}

func currentRecord(group, member string, r reconcile.Member) coordinator.Record {
	b := kbin.AppendInt32(valueVersion(), r.Epoch)
	b = kbin.AppendInt32(b, r.PreviousEpoch)
	b = kbin.AppendInt8(b, int8(r.State))
	b = appendTags(appendEpochs(appendEpochs(b, r.Assigned), r.Revoking))
	return coordinator.Record{Key: consumerKey(keyCurrent, group, member), Value: b}
}

// appendEpochs writes partitions, and the epochs of their assignment as a tagged field.
func appendEpochs(b []byte, e reconcile.Epochs) []byte {
	b = kbin.AppendCompactArrayLen(b, len(e))
	for _, topic := range partitionsOf(e).Topics() {
		partitions := slices.Sorted(maps.Keys(e[topic]))
		epochs := make([]int32, 0, len(partitions))
		for _, p := range partitions {
			epochs = append(epochs, e[topic][p])
		}
		b = appendPartitions(kbin.AppendUuid(b, topic), partitions)
		tag := appendPartitions(nil, epochs)
		b = append(kbin.AppendUvarint(append(b, 1, 0), uint32(len(tag))), tag...)
	}
	return b
}

// partitionsOf leaves the epochs away.
func partitionsOf(e reconcile.Epochs) assignor.Assignment {
	a := make(assignor.Assignment, len(e))
	for topic, partitions := range e {
		a[topic] = slices.Sorted(maps.Keys(partitions))
	}
	return a
}

func regexRecord(group, regex string, r resolved) coordinator.Record {
	b := appendStrings(valueVersion(), r.topics)
	b = kbin.AppendInt64(b, r.version)
	b = kbin.AppendInt64(b, int64(r.at))
	return coordinator.Record{Key: consumerKey(keyRegex, group, regex), Value: appendTags(b)}
}
