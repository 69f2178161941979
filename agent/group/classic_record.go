package group

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// classicVersion is the version that classic groups are written in.
const classicVersion, classicVersionMax int16 = 3, 4

func classicKey(group string) []byte {
	return appendString(binary.BigEndian.AppendUint16(nil, uint16(keyGroupMetadata)), group)
}

func classicTombstone(group string) coordinator.Record {
	return coordinator.Record{Key: classicKey(group)}
}

// classicRecord is the record of a group as it is now.
func classicRecord(g *classicGroup) coordinator.Record {
	v := kmsg.GroupMetadataValue{
		Version: classicVersion, ProtocolType: g.protocol, Generation: g.generation,
		Protocol: g.protocolName, CurrentStateTimestamp: int64(g.since),
		Members: make([]kmsg.GroupMetadataValueMember, 0, len(g.order)),
	}
	if g.leader != "" {
		v.Leader = &g.leader
	}
	for _, mem := range g.order {
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: mem.id, InstanceID: mem.instance,
			ClientID: mem.client.ID, ClientHost: mem.client.Host,
			RebalanceTimeoutMillis: int32(mem.rebalanceTimeout.Milliseconds()),
			SessionTimeoutMillis:   int32(mem.sessionTimeout.Milliseconds()),
			Subscription:           mem.metadata(g.protocolName), Assignment: mem.assignment,
		})
	}
	return coordinator.Record{Key: classicKey(g.id), Value: v.AppendTo(nil)}
}

// replayClassic takes in a classic group or its tombstone.
func (m *Machine) replayClassic(r coordinator.Stored) error {
	key, rest, ok := takeString(r.Key[2:])
	if !ok || len(rest) != 0 {
		return fmt.Errorf("%w: group key of %d bytes", ErrUnknownRecord, len(r.Key))
	}
	id := string(key)
	if r.Value == nil {
		m.dropGroup(id)
		return nil
	}
	if len(r.Value) < 2 || uint16(classicVersionMax) < binary.BigEndian.Uint16(r.Value) {
		return fmt.Errorf("%w: group value", ErrUnknownRecord)
	}
	var v kmsg.GroupMetadataValue
	v.Default()
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("%w: group value: %w", ErrUnknownRecord, err)
	}
	g := newClassicGroup(m, id)
	g.protocol, g.protocolName, g.generation = v.ProtocolType, v.Protocol, v.Generation
	g.since = kafka.Timestamp(v.CurrentStateTimestamp)
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	if len(v.Members) > 0 {
		g.now = stateStable
	}
	for i := range v.Members {
		if err := g.replayMember(&v, &v.Members[i]); err != nil {
			return err
		}
	}
	if len(g.order) > 0 && g.members[g.leader] == nil {
		g.leader = g.order[0].id
	}
	g.learnSubscriptions()
	m.setGroup(id, g)
	return nil
}

// replayMember takes in one member of a record.
func (g *classicGroup) replayMember(
	v *kmsg.GroupMetadataValue, w *kmsg.GroupMetadataValueMember,
) error {
	rebalance := w.RebalanceTimeoutMillis
	if rebalance == -1 {
		rebalance = w.SessionTimeoutMillis
	}
	_, static := g.static[deref(w.InstanceID)]
	if g.members[w.MemberID] != nil || v.Protocol == nil || v.ProtocolType == "" ||
		w.InstanceID != nil && static {
		return fmt.Errorf("%w: member %q of group %q", ErrUnknownRecord, w.MemberID, g.id)
	}
	g.add(&classicMember{
		id: w.MemberID, instance: w.InstanceID, client: Client{w.ClientID, w.ClientHost},
		rebalanceTimeout: time.Duration(rebalance) * time.Millisecond,
		sessionTimeout:   time.Duration(w.SessionTimeoutMillis) * time.Millisecond,
		protocols:        []Protocol{{*v.Protocol, w.Subscription}}, assignment: w.Assignment,
	}, v.ProtocolType)
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// learnSubscriptions reads which topics the members of a group of consumers subscribe to. Version 0 of
// the subscription is a prefix of all versions.
func (g *classicGroup) learnSubscriptions() {
	g.subscribed = nil
	switch {
	case !g.consumers():
		return
	case len(g.members) == 0:
		g.subscribed = make(map[string]bool)
		return
	case g.protocolName == nil:
		return
	}
	topics := make(map[string]bool)
	for _, mem := range g.order {
		b := kbin.Reader{Src: mem.metadata(g.protocolName)}
		b.Int16() // version
		for n := b.ArrayLen(); n > 0 && b.Ok(); n-- {
			topics[b.String()] = true
		}
		b.NullableBytes()
		if !b.Ok() {
			return
		}
	}
	g.subscribed = topics
}
