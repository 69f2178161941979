package settings

import (
	"errors"
	"sort"
	"strings"
	"testing"
	"time"
)

func TestEveryDefaultIsValid(t *testing.T) {
	for _, table := range [][]*Setting{TopicSettings(), AgentSettings()} {
		if !sort.SliceIsSorted(table, func(i, j int) bool { return table[i].Name < table[j].Name }) {
			t.Error("table is not ordered by name")
		}
		for _, s := range table {
			if s.Doc == "" || len(s.Doc) > 400 {
				t.Errorf("%s: doc of %d characters", s.Name, len(s.Doc))
			}
			if s.Default == "" && s.Type != List {
				continue
			}
			if err := s.Validate(s.Default); err != nil {
				t.Errorf("%s: default %q: %v", s.Name, s.Default, err)
			}
		}
	}
}

func TestDefaultTopic(t *testing.T) {
	d := DefaultTopic()
	if d.SegmentBytes != 1<<30 || d.RetentionTime != 7*24*time.Hour || !d.RemoteStorage ||
		d.LocalRetentionTime != d.RetentionTime || d.LocalRetentionBytes != -1 ||
		d.SealAgeMax != 10*time.Minute || d.MaxMessageBytes != 1048588 ||
		d.FlushInterval != Unbounded || d.TimestampBeforeMax != Unbounded ||
		d.TimestampAfterMax != time.Hour || d.TimestampType != CreateTime {
		t.Errorf("defaults: %+v", d)
	}
}

// The refusals are Apache Kafka 4.3.1's, word for word, but for what Varve does not honour yet.
func TestValidateTopic(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"segment.bytes", "1000", "Value must be at least 1048576"},
		{"segment.bytes", "x", "Not a number of type INT"},
		{"segment.bytes", "3000000000", "Not a number of type INT"},
		{"segment.bytes", "1048576", ""},
		{"segment.ms", "0", "Value must be at least 1"},
		{"segment.ms", " 5 ", ""},
		{"retention.ms", "-2", "Value must be at least -1"},
		{"retention.bytes", "-2", ""},
		{"local.retention.ms", "-3", "Value must be at least -2"},
		{"local.retention.ms", "999999999999", "Value must not be more than retention.ms"},
		{"local.retention.bytes", "5", ""},
		{"min.insync.replicas", "0", "Value must be at least 1"},
		{"cleanup.policy", "foo", "String must be one of: compact, delete"},
		{"cleanup.policy", "delete,delete", ""},
		{"cleanup.policy", "compact", ""},
		{"cleanup.policy", "compact,delete", ""},
		{"cleanup.policy", "", ""},
		{"compression.type", "foo", "one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.type", "zstd", ""},
		{"compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"},
		{"preallocate", "maybe", "Expected value to be either true or false"},
		{"preallocate", "FALSE", ""},
		{"min.cleanable.dirty.ratio", "0.50", ""},
		{"min.cleanable.dirty.ratio", "2", "Value must be no more than 1"},
		{"message.timestamp.type", "LogAppendTime", ""},
		{"internal.segment.bytes", "65536", ""},
		{"varve.value.format", "json", ""},
		{"varve.value.format", "xml", "String must be one of: raw, utf8, json"},
		{"nosuch", "x", "Unknown config name: nosuch"},
	} {
		err := ValidateTopic(map[string]string{c.name: c.value}, nil)
		var e *Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s=%q: %v", c.name, c.value, err)
		case c.want != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s=%q: %v, want %q", c.name, c.value, err, c.want)
		}
	}
}

// What a compacted topic does with its tiers, and what of KIP-950 is refused.
func TestTieringOfTopics(t *testing.T) {
	type configs = map[string]string
	for _, c := range []struct {
		configs       configs
		remote, seals bool
		want          string
	}{
		{configs{}, true, true, ""},
		{configs{"cleanup.policy": "delete"}, true, true, ""},
		{configs{"cleanup.policy": ""}, true, true, ""},
		{configs{"cleanup.policy": "compact"}, false, false, ""},
		{configs{"cleanup.policy": "compact,delete"}, false, false, ""},
		{configs{"cleanup.policy": "compact", "remote.storage.enable": "false"}, false, false, ""},
		{
			configs{"cleanup.policy": "compact", "remote.storage.enable": "true"},
			false, false,
			"Leave remote.storage.enable out",
		},
		{configs{"remote.storage.enable": "true"}, true, true, ""},
		{configs{"remote.storage.enable": "false"}, false, false, ""},
		{configs{"remote.log.copy.disable": "true"}, true, false, ""},
		{configs{"remote.log.copy.disable": "true", "local.retention.ms": "604800000"}, true, false, ""},
		{
			configs{"remote.log.copy.disable": "true", "local.retention.ms": "5"},
			true, false,
			"it must be -2 or equal retention.ms",
		},
		{
			configs{"remote.log.copy.disable": "true", "local.retention.bytes": "5"},
			true, false,
			"it must be -2 or equal retention.bytes",
		},
		{
			configs{
				"remote.log.copy.disable": "true", "local.retention.ms": "5",
				"remote.storage.enable": "false",
			}, false, false, "",
		},
		{configs{"remote.log.delete.on.disable": "true"}, true, true, ""},
	} {
		topic, err := FromConfigs(c.configs, nil)
		if err != nil || topic.RemoteStorage != c.remote || topic.Seals() != c.seals {
			t.Errorf("%v: %+v, %v", c.configs, topic, err)
		}
		switch err := ValidateTopic(c.configs, nil); {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.configs, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v, want %q", c.configs, err, c.want)
		}
	}
}

func TestTopicOverAgent(t *testing.T) {
	a, err := AgentFromConfigs(
		map[string]string{"log.segment.bytes": "2097152"},
		map[string]string{"log.segment.bytes": "1", "log.retention.hours": "2", "num.partitions": "3"},
	)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := FromConfigs(map[string]string{"max.message.bytes": "10"}, a)
	if err != nil {
		t.Fatal(err)
	}
	if topic.SegmentBytes != 2<<20 || topic.RetentionTime != 2*time.Hour ||
		topic.MaxMessageBytes != 10 || a.NumPartitions != 3 {
		t.Errorf("topic %+v agent %+v", topic, a)
	}
}

func TestValidateAgent(t *testing.T) {
	if err := ValidateAgent(map[string]string{"log.segment.bytes": "5"}); err == nil {
		t.Error("segment size below the bound accepted")
	}
	if err := ValidateAgent(map[string]string{"log.retention.ms": "5"}); err != nil {
		t.Error(err)
	}
	if err := ValidateAgent(map[string]string{"nosuch": "5"}); err == nil {
		t.Error("unknown name accepted")
	}
}

func TestTopicNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "a.b_c-D9": true, "": false, ".": false, "..": false, "a b": false, "ä": false,
		strings.Repeat("x", 249): true, strings.Repeat("x", 250): false, "a/b": false,
	} {
		if (ValidTopicName(name) == "") != ok {
			t.Errorf("%q: %q", name, ValidTopicName(name))
		}
	}
}
