package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// creation is an edit of a good topic, and what it is answered with.
type creation struct {
	edit edit
	want code
	text string
}

type edit = func(r *kmsg.CreateTopicsRequestTopic)

func assign(replicas ...[]int32) edit {
	return func(r *kmsg.CreateTopicsRequestTopic) {
		r.NumPartitions, r.ReplicationFactor = -1, -1
		for i, ids := range replicas {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = int32(i), ids
			r.ReplicaAssignment = append(r.ReplicaAssignment, a)
		}
	}
}

func config(name string, value *string) edit {
	return func(r *kmsg.CreateTopicsRequestTopic) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, value
		r.Configs = append(r.Configs, c)
	}
}

func creations() map[string]creation {
	s := kmsg.StringPtr
	return map[string]creation{
		"good": {func(*kmsg.CreateTopicsRequestTopic) {}, 0, ""},
		"defaults": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.NumPartitions, r.ReplicationFactor = -1, -1 }, 0, "",
		},
		"factor 2": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.ReplicationFactor = 2 }, 38,
			"Unable to replicate the partition 2 time(s)",
		},
		"factor 0": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.ReplicationFactor = 0 }, 38,
			"larger than 0, or -1",
		},
		"none": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.NumPartitions = 0 }, 37,
			"invalid non-positive value",
		},
		"many": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.NumPartitions = 200000 }, 44,
			"Excessively large",
		},
		"exists": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.Topic = "exists" }, 36,
			"Topic 'exists' already exists.",
		},
		"empty name": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.Topic = "" }, 17,
			"the empty string is not allowed",
		},
		"blank": {
			func(r *kmsg.CreateTopicsRequestTopic) { r.Topic = "a b" }, 17,
			"contains one or more characters",
		},
		"assigned": {assign([]int32{1}, []int32{1}), 0, ""},
		"unknown":  {assign([]int32{7}), 39, "broker 7, but no such broker is registered"},
		"twice":    {assign([]int32{1, 1}), 39, "the broker 1 more than once"},
		"empty":    {assign([]int32{}), 39, "an empty replica list"},
		"config":   {config("segment.ms", s("5")), 0, ""},
		"bad config": {
			config("segment.ms", s("0")), 40,
			"Invalid value 0 for configuration segment.ms: Value must be at least 1",
		},
		"null": {
			config("segment.ms", nil), 40, "Null value not supported for topic configs: segment.ms",
		},
		"nosuch":  {config("nosuch", s("1")), 40, "Unknown topic config name: nosuch"},
		"compact": {config("cleanup.policy", s("compact")), 0, ""},
	}
}

// The codes and sentences are those of Apache Kafka 4.3.1.
func TestCreateTopicsRefusals(t *testing.T) {
	f := newFake()
	f.create(t, "exists", 1)
	c := dial(t, serveFake(t, f))
	for name, x := range creations() {
		r := kmsg.NewPtrCreateTopicsRequest()
		r.ValidateOnly = true
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new", 1, 1
		x.edit(&topic)
		r.Topics = append(r.Topics, topic)
		got := ask[*kmsg.CreateTopicsResponse](c, r, 7).Topics[0]
		if got.ErrorCode != x.want || !strings.Contains(text(got.ErrorMessage), x.text) {
			t.Errorf("%s: %s %q", name, errorName(got.ErrorCode), text(got.ErrorMessage))
		}
		if (x.want == 0) != (got.NumPartitions > 0 && len(got.Configs) > 30) {
			t.Errorf("%s: %d partitions, %d configs", name, got.NumPartitions, len(got.Configs))
		}
		r.Topics = append(r.Topics, topic)
		if all := ask[*kmsg.CreateTopicsResponse](c, r, 7).Topics; len(all) != 1 ||
			all[0].ErrorCode != codeInvalidRequest {
			t.Errorf("%s twice: %+v", name, all)
		}
	}
}

func TestDeleteTopics(t *testing.T) {
	f := newFake()
	byName, byID := f.create(t, "name", 1), f.create(t, "id", 1)
	f.create(t, "internal", 1).Internal = true
	c := dial(t, serveFake(t, f))
	r := kmsg.NewPtrDeleteTopicsRequest()
	add := func(name *string, id kafka.TopicID) {
		x := kmsg.NewDeleteTopicsRequestTopic()
		x.Topic, x.TopicID = name, id
		r.Topics = append(r.Topics, x)
	}
	s := kmsg.StringPtr
	add(s("name"), kafka.TopicID{})
	add(nil, byID.ID)
	add(s("internal"), kafka.TopicID{})
	add(s("both"), byID.ID)
	add(nil, kafka.TopicID{})
	add(nil, kafka.TopicID{77})
	add(s("nosuch"), kafka.TopicID{})
	want := []code{0, 0, 0, 42, 42, 100, 3}
	for i, got := range ask[*kmsg.DeleteTopicsResponse](c, r, 6).Topics {
		if got.ErrorCode != want[i] {
			t.Errorf("%d: %s %q", i, errorName(got.ErrorCode), text(got.ErrorMessage))
		}
	}
	if _, ok := f.TopicByID(byName.ID); ok || len(f.AllTopics()) != 0 {
		t.Error("topics are left")
	}
}

func TestCreatePartitions(t *testing.T) {
	f := newFake()
	f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	for _, x := range []struct {
		topic      string
		count      int32
		assignment [][]int32
		want       code
		text       string
	}{
		{"t", 1, nil, 37, "Topic already has 1 partition(s)."},
		{"t", 0, nil, 37, "The topic t currently has 1 partition(s); 0 would not be an increase."},
		{"nosuch", 2, nil, 3, ""},
		{"t", 2, [][]int32{{1}, {1}}, 39, "Attempted to add 1 additional partition(s), but only 2"},
		{"t", 2, [][]int32{{9}}, 39, "broker 9, but no such broker is registered"},
		{"t", 1 << 30, nil, 44, "Excessively large"},
		{"t", 2, [][]int32{{1}}, 0, ""},
		{"t", 4, nil, 0, ""},
	} {
		r := kmsg.NewPtrCreatePartitionsRequest()
		q := kmsg.NewCreatePartitionsRequestTopic()
		q.Topic, q.Count = x.topic, x.count
		for _, ids := range x.assignment {
			a := kmsg.NewCreatePartitionsRequestTopicAssignment()
			a.Replicas = ids
			q.Assignment = append(q.Assignment, a)
		}
		r.Topics = append(r.Topics, q)
		got := ask[*kmsg.CreatePartitionsResponse](c, r, 3).Topics[0]
		if got.ErrorCode != x.want || !strings.Contains(text(got.ErrorMessage), x.text) {
			t.Errorf("%+v: %s %q", x, errorName(got.ErrorCode), text(got.ErrorMessage))
		}
	}
	if topic, _ := f.Topic("t"); len(topic.Partitions) != 4 {
		t.Errorf("%d partitions", len(topic.Partitions))
	}
}

func alterRequest(
	kind kmsg.ConfigResourceType, resource, name string, value *string, op int8,
) *kmsg.IncrementalAlterConfigsRequest {
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kind, resource
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value, c.Op = name, value, kmsg.IncrementalAlterConfigOp(op)
	x.Configs = append(x.Configs, c)
	r.Resources = append(r.Resources, x)
	return r
}

func TestIncrementalAlterConfigs(t *testing.T) {
	const topic, agent = kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	f := newFake()
	f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	s := kmsg.StringPtr
	for _, x := range []struct {
		kind           kmsg.ConfigResourceType
		resource, name string
		value          *string
		op             int8
		want           code
		text           string
	}{
		{topic, "t", "segment.bytes", s("5"), 0, 40, "Value must be at least 1048576"},
		{topic, "t", "segment.bytes", s("5000000"), 0, 0, ""},
		{
			topic, "t", "segment.bytes", s("5000000"), 2, 40,
			"Can't APPEND to key segment.bytes because its type is not LIST.",
		},
		{topic, "t", "segment.bytes", nil, 0, 42, "Null value not supported for : segment.bytes"},
		{topic, "t", "segment.bytes", nil, 1, 0, ""},
		{topic, "t", "nosuch", nil, 1, 0, ""},
		{topic, "t", "nosuch", s("1"), 0, 40, "Unknown topic config name: nosuch"},
		{topic, "t", "segment.bytes", s("5000000"), 9, 42, "Unknown operation type 9"},
		{topic, "nosuch", "segment.ms", s("1"), 0, 3, "The topic 'nosuch' does not exist."},
		{topic, "", "segment.ms", s("1"), 0, 42, "Default topic resources are not allowed."},
		{topic, "t", "cleanup.policy", s("delete"), 2, 0, ""},
		{topic, "t", "cleanup.policy", s("compact"), 2, 0, ""},
		{topic, "t", "remote.storage.enable", s("true"), 0, 40, "cleanup.policy=delete,compact stays on"},
		{topic, "t", "cleanup.policy", s("compact"), 3, 0, ""},
		{topic, "t", "retention.ms", s("60000"), 0, 0, ""},
		{agent, "1", "log.segment.bytes", s("5000000"), 0, 0, ""},
		{agent, "", "log.retention.ms", s("5"), 0, 0, ""},
		{
			agent, "1", "num.partitions", s("5"), 0, 42,
			"Cannot update these configs dynamically: [num.partitions]",
		},
		{agent, "x", "log.retention.ms", s("5"), 0, 42, "must be an integer"},
		{agent, "7", "log.retention.ms", s("5"), 0, 42, "Unexpected broker id"},
		{kmsg.ConfigResourceTypeBrokerLogger, "1", "root", s("INFO"), 0, 42, "no loggers"},
	} {
		r := alterRequest(x.kind, x.resource, x.name, x.value, x.op)
		got := ask[*kmsg.IncrementalAlterConfigsResponse](c, r, 1).Resources[0]
		if got.ErrorCode != x.want || !strings.Contains(text(got.ErrorMessage), x.text) {
			t.Errorf("%v %s %s: %s %q", x.kind, x.resource, x.name, errorName(got.ErrorCode),
				text(got.ErrorMessage))
		}
	}
	configs := f.byName["t"].Configs
	if len(configs) != 2 || configs["retention.ms"] != "60000" ||
		configs["cleanup.policy"] != "delete" {
		t.Errorf("configs %v", configs)
	}
	if f.configs.Dynamic["log.segment.bytes"] != "5000000" ||
		f.configs.DynamicDefault["log.retention.ms"] != "5" {
		t.Errorf("agent configs %+v", f.configs)
	}
}

func TestDescribeConfigs(t *testing.T) {
	f := newFake()
	f.create(t, "t", 1, "segment.bytes", "2000000")
	f.configs = AgentConfigs{
		Dynamic: map[string]string{"log.segment.bytes": "3000000"},
		Static:  map[string]string{"log.segment.bytes": "4000000", "num.partitions": "3"},
	}
	c := dial(t, serveFake(t, f))
	describe := func(kind kmsg.ConfigResourceType, name string) (
		kmsg.DescribeConfigsResponseResource, map[string]kmsg.DescribeConfigsResponseResourceConfig,
	) {
		r := kmsg.NewPtrDescribeConfigsRequest()
		x := kmsg.NewDescribeConfigsRequestResource()
		x.ResourceType, x.ResourceName = kind, name
		r.Resources = append(r.Resources, x, x)
		r.IncludeSynonyms = true
		resp := ask[*kmsg.DescribeConfigsResponse](c, r, 4)
		if len(resp.Resources) != 1 {
			t.Errorf("%s is answered %d times", name, len(resp.Resources))
		}
		byName := make(map[string]kmsg.DescribeConfigsResponseResourceConfig)
		for _, x := range resp.Resources[0].Configs {
			byName[x.Name] = x
		}
		return resp.Resources[0], byName
	}
	_, topic := describe(kmsg.ConfigResourceTypeTopic, "t")
	s := topic["segment.bytes"]
	if text(s.Value) != "2000000" || s.Source != kmsg.ConfigSourceDynamicTopicConfig ||
		len(s.ConfigSynonyms) != 4 || s.ConfigSynonyms[1].Name != "log.segment.bytes" ||
		s.ConfigType != kmsg.ConfigTypeInt {
		t.Errorf("segment.bytes: %+v", s)
	}
	if d := topic["retention.ms"]; d.Source != kmsg.ConfigSourceDefaultConfig ||
		text(d.Value) != "604800000" {
		t.Errorf("retention.ms: %+v", d)
	}
	_, agent := describe(kmsg.ConfigResourceTypeBroker, "1")
	if n := agent["num.partitions"]; text(n.Value) != "3" || !n.ReadOnly ||
		n.Source != kmsg.ConfigSourceStaticBrokerConfig {
		t.Errorf("num.partitions: %+v", n)
	}
	if l := agent["log.segment.bytes"]; text(l.Value) != "3000000" ||
		l.Source != kmsg.ConfigSourceDynamicBrokerConfig {
		t.Errorf("log.segment.bytes: %+v", l)
	}
	for name, want := range map[string]code{"nosuch": 3, "a b": 17} {
		if r, _ := describe(kmsg.ConfigResourceTypeTopic, name); r.ErrorCode != want {
			t.Errorf("%q: %s", name, errorName(r.ErrorCode))
		}
	}
	for _, name := range []string{"9", "x"} {
		if r, _ := describe(kmsg.ConfigResourceTypeBroker, name); r.ErrorCode != codeInvalidRequest {
			t.Errorf("%q: %s", name, errorName(r.ErrorCode))
		}
	}
}

func TestMetadata(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 2)
	c := dial(t, serveFake(t, f))
	get := func(version int16, auto bool, topics ...kmsg.MetadataRequestTopic) *kmsg.MetadataResponse {
		r := kmsg.NewPtrMetadataRequest()
		r.Topics, r.AllowAutoTopicCreation = topics, auto
		return ask[*kmsg.MetadataResponse](c, r, version)
	}
	named := func(name string) kmsg.MetadataRequestTopic {
		x := kmsg.NewMetadataRequestTopic()
		x.Topic = &name
		return x
	}
	if n := len(get(0, false).Topics); n != 1 {
		t.Errorf("version 0, none asked for: %d topics", n)
	}
	if n := len(get(9, false).Topics); n != 1 {
		t.Errorf("null: %d topics", n)
	}
	r := kmsg.NewPtrMetadataRequest()
	r.Topics = []kmsg.MetadataRequestTopic{}
	if n := len(ask[*kmsg.MetadataResponse](c, r, 9).Topics); n != 0 {
		t.Errorf("empty: %d topics", n)
	}
	for _, x := range []struct {
		name string
		auto bool
		want code
	}{{"a/b", true, 17}, {"nosuch", false, 3}, {"made", true, 0}} {
		m := get(9, x.auto, named(x.name), named(x.name))
		if len(m.Topics) != 1 || m.Topics[0].ErrorCode != x.want {
			t.Errorf("%s: %+v", x.name, m.Topics)
		}
	}
	if _, ok := f.Topic("made"); !ok {
		t.Error("not auto-created")
	}
	byID := kmsg.NewMetadataRequestTopic()
	byID.TopicID = topic.ID
	if m := get(12, false, byID).Topics[0]; m.ErrorCode != 0 || text(m.Topic) != "t" {
		t.Errorf("by id: %+v", m)
	}
	byID.TopicID = [16]byte{99}
	if m := get(12, false, byID).Topics[0]; m.ErrorCode != 100 || m.Topic != nil {
		t.Errorf("by unknown id: %+v", m)
	}
	r = kmsg.NewPtrMetadataRequest()
	r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = true, true
	if m := ask[*kmsg.MetadataResponse](c, r, 9); m.AuthorizedOperations != 8096 ||
		m.Topics[0].AuthorizedOperations != 3576 {
		t.Errorf("operations: %+v", m)
	}
}

func TestListOffsets(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	p := f.partition("t")
	for i, at := range []kafka.Timestamp{1000, 3000, 2000} {
		if _, err := p.Append(batchOf(t, at, "v"), AppendOptions{}); err != nil {
			t.Fatal(i, err)
		}
	}
	c := dial(t, serveFake(t, f))
	for _, x := range []struct {
		ts        int64
		version   int16
		epoch     int32
		want      code
		offset    int64
		timestamp int64
	}{
		{-1, 11, -1, 0, 3, -1},
		{-2, 1, -1, 0, 0, -1},
		{-2, 11, -1, 0, 0, -1},
		{-3, 7, -1, 0, 1, 3000},
		{-3, 6, -1, 35, -1, -1},
		{-4, 8, -1, 0, 0, -1},
		{-4, 7, -1, 35, -1, -1},
		{-5, 9, -1, 0, -1, -1},
		{-6, 11, -1, 0, -1, -1},
		{-7, 11, -1, 35, -1, -1},
		{2000, 11, -1, 0, 1, 3000},
		{9000, 11, -1, 0, -1, -1},
		{-1, 11, 2, 74, -1, -1},
		{-1, 11, 9, 75, -1, -1},
	} {
		r := kmsg.NewPtrListOffsetsRequest()
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic.Name
		q := kmsg.NewListOffsetsRequestTopicPartition()
		q.Timestamp, q.CurrentLeaderEpoch = x.ts, x.epoch
		rt.Partitions = append(rt.Partitions, q)
		r.Topics = append(r.Topics, rt)
		got := ask[*kmsg.ListOffsetsResponse](c, r, x.version).Topics[0].Partitions[0]
		if got.ErrorCode != x.want || got.Offset != x.offset || got.Timestamp != x.timestamp {
			t.Errorf("%+v: %+v", x, got)
		}
		if x.ts == int64(Earliest) && x.version >= 4 && got.LeaderEpoch != 3 {
			t.Errorf("the earliest offset came without its leader epoch: %+v", got)
		}
		rt.Partitions = append(rt.Partitions, q)
		r.Topics[0] = rt
		twice := ask[*kmsg.ListOffsetsResponse](c, r, x.version).Topics[0].Partitions
		if len(twice) != 2 || twice[1].ErrorCode != codeInvalidRequest {
			t.Errorf("twice: %+v", twice)
		}
	}
}
