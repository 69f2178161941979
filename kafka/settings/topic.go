package settings

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Topic is the effective settings of one topic. Sizes are bytes; a bound of -1 is none.
type Topic struct {
	CleanupPolicy       string        // cleanup.policy: some of "compact" and "delete", or neither
	DeleteRetention     time.Duration // delete.retention.ms
	CompactionLagMin    time.Duration // min.compaction.lag.ms
	CompactionLagMax    time.Duration // max.compaction.lag.ms; Unbounded: no limit
	DirtyRatioMin       float64       // min.cleanable.dirty.ratio
	CompressionType     string        // compression.type: producer, uncompressed or a codec
	CompressionLevel    int           // compression.<type>.level; 0 for a type without levels
	SegmentBytes        int64         // segment.bytes: an active segment is rolled at this size
	SegmentAge          time.Duration // segment.ms
	SegmentJitter       time.Duration // segment.jitter.ms; at most SegmentAge
	IndexIntervalBytes  int64         // index.interval.bytes
	SegmentIndexBytes   int64         // segment.index.bytes, at 8 bytes an entry
	RetentionTime       time.Duration // retention.ms; negative: for ever
	RetentionBytes      int64         // retention.bytes; negative: no bound
	LocalRetentionTime  time.Duration // local.retention.ms, -2 resolved; negative: for ever
	LocalRetentionBytes int64         // local.retention.bytes, -2 resolved; negative: no bound
	RemoteStorage       bool          // remote.storage.enable; default true; not if compacted
	RemoteCopyDisable   bool          // remote.log.copy.disable
	RemoteDeleteOnOff   bool          // remote.log.delete.on.disable
	MaxMessageBytes     int           // max.message.bytes: the largest batch
	MinInsyncReplicas   int           // min.insync.replicas
	TimestampType       TimestampType // message.timestamp.type
	TimestampBeforeMax  time.Duration // message.timestamp.before.max.ms; Unbounded: no limit
	TimestampAfterMax   time.Duration // message.timestamp.after.max.ms; Unbounded: no limit
	FlushMessages       int64         // flush.messages; math.MaxInt64: left to the system
	FlushInterval       time.Duration // flush.ms; Unbounded: left to the system
	SealAgeMax          time.Duration // varve.seal.max.age.ms
	ValueFormat         string        // varve.value.format: raw, utf8 or json
}

// Compacts reports whether cleanup.policy has compact.
func (t *Topic) Compacts() bool { return slices.Contains(SplitList(t.CleanupPolicy), "compact") }

// Deletes reports whether cleanup.policy has delete: old segments go by retention.
func (t *Topic) Deletes() bool { return slices.Contains(SplitList(t.CleanupPolicy), "delete") }

// Seals reports whether rolled segments go into the bucket.
func (t *Topic) Seals() bool { return t.RemoteStorage && !t.RemoteCopyDisable }

// TimestampType says whose clock a record's timestamp is.
type TimestampType int8

// The values of message.timestamp.type.
const (
	CreateTime    TimestampType = 0
	LogAppendTime TimestampType = 1
)

// Unbounded stands for Kafka's 2^63-1 milliseconds, and for anything that a Duration cannot hold.
const Unbounded time.Duration = math.MaxInt64

// followsRetention is the value of local.retention.* that takes retention.*.
const followsRetention = -2

// DefaultTopic is a topic without explicit settings on an agent with none.
func DefaultTopic() Topic {
	t, err := FromConfigs(nil, nil)
	if err != nil {
		panic("settings: a default is invalid: " + err.Error())
	}
	return t
}

// FromConfigs parses a topic's explicit settings over the agent's defaults, which may be nil for
// Kafka's. The error is a *Error.
func FromConfigs(configs map[string]string, defaults *Agent) (Topic, error) {
	v := view{explicit: configs, index: topicIndex}
	if defaults != nil {
		v.inherited = defaults.TopicDefaults
	}
	t := Topic{
		CleanupPolicy:       strings.Join(SplitList(v.text("cleanup.policy")), ","),
		DeleteRetention:     v.millis("delete.retention.ms"),
		CompactionLagMin:    v.millis("min.compaction.lag.ms"),
		CompactionLagMax:    v.millis("max.compaction.lag.ms"),
		DirtyRatioMin:       v.double("min.cleanable.dirty.ratio"),
		CompressionType:     v.text("compression.type"),
		SegmentBytes:        v.long("segment.bytes"),
		SegmentAge:          v.millis("segment.ms"),
		SegmentJitter:       v.millis("segment.jitter.ms"),
		IndexIntervalBytes:  v.long("index.interval.bytes"),
		SegmentIndexBytes:   v.long("segment.index.bytes"),
		RetentionTime:       v.millis("retention.ms"),
		RetentionBytes:      v.long("retention.bytes"),
		LocalRetentionTime:  v.millis("local.retention.ms"),
		LocalRetentionBytes: v.long("local.retention.bytes"),
		RemoteStorage:       v.boolean("remote.storage.enable"),
		RemoteCopyDisable:   v.boolean("remote.log.copy.disable"),
		RemoteDeleteOnOff:   v.boolean("remote.log.delete.on.disable"),
		MaxMessageBytes:     int(v.long("max.message.bytes")),
		MinInsyncReplicas:   int(v.long("min.insync.replicas")),
		TimestampBeforeMax:  v.millis("message.timestamp.before.max.ms"),
		TimestampAfterMax:   v.millis("message.timestamp.after.max.ms"),
		FlushMessages:       v.long("flush.messages"),
		FlushInterval:       v.millis("flush.ms"),
		SealAgeMax:          v.millis("varve.seal.max.age.ms"),
		ValueFormat:         v.text("varve.value.format"),
	}
	switch t.CompressionType {
	case "gzip", "lz4", "zstd":
		t.CompressionLevel = int(v.long("compression." + t.CompressionType + ".level"))
	}
	if v.text("message.timestamp.type") == "LogAppendTime" {
		t.TimestampType = LogAppendTime
	}
	if v.text("internal.segment.bytes") != "" {
		t.SegmentBytes = v.long("internal.segment.bytes")
	}
	t.RemoteStorage = t.RemoteStorage && !t.Compacts()
	if t.LocalRetentionTime == followsRetention*time.Millisecond {
		t.LocalRetentionTime = t.RetentionTime
	}
	if t.LocalRetentionBytes == followsRetention {
		t.LocalRetentionBytes = t.RetentionBytes
	}
	return t, v.err
}

// ValidateTopic checks explicit topic settings: unknown names, types, bounds, values that are not
// supported, and combinations over the agent's defaults (nil: Kafka's). The error is a *Error.
func ValidateTopic(configs map[string]string, defaults *Agent) error {
	if err := validateEach(configs, topicIndex); err != nil {
		return err
	}
	t, err := FromConfigs(configs, defaults)
	if err != nil {
		return err
	}
	if strings.EqualFold(strings.TrimSpace(configs[remoteStorage]), "true") && t.Compacts() {
		return &Error{
			Name: remoteStorage, Value: configs[remoteStorage],
			Reason: "a topic with cleanup.policy=" + t.CleanupPolicy + " stays on local disk: sealed " +
				"segments are not compacted yet. Leave " + remoteStorage + " out, or set it to false",
		}
	}
	if err := checkCopyDisabled(&t, configs); err != nil {
		return err
	}
	return checkLocalRetention(&t, configs)
}

// remoteStorage decides whether a topic is sealed.
const remoteStorage = "remote.storage.enable"

// checkCopyDisabled refuses another retention of local segments than of the topic while nothing is
// sealed any more, as Kafka does (KIP-950).
func checkCopyDisabled(t *Topic, configs map[string]string) error {
	if !t.RemoteStorage || !t.RemoteCopyDisable {
		return nil
	}
	for _, c := range []struct {
		name, follows string
		differs       bool
	}{
		{"local.retention.bytes", "retention.bytes", t.LocalRetentionBytes != t.RetentionBytes},
		{"local.retention.ms", "retention.ms", t.LocalRetentionTime != t.RetentionTime},
	} {
		if c.differs {
			return &Error{
				Name: c.name, Value: configs[c.name],
				Reason: "while remote.log.copy.disable is true it must be -2 or equal " + c.follows +
					", since nothing more is copied to remote storage",
			}
		}
	}
	return nil
}

// checkLocalRetention refuses to keep records locally for longer than at all, as Kafka does where a
// topic is tiered. Only what is given explicitly is at fault.
func checkLocalRetention(t *Topic, configs map[string]string) error {
	if !t.RemoteStorage {
		return nil
	}
	if v, ok := configs["local.retention.ms"]; ok &&
		exceeds(int64(t.LocalRetentionTime), int64(t.RetentionTime)) {
		return &Error{
			Name: "local.retention.ms", Value: v, Reason: "Value must not be more than retention.ms",
		}
	}
	if v, ok := configs["local.retention.bytes"]; ok &&
		exceeds(t.LocalRetentionBytes, t.RetentionBytes) {
		return &Error{
			Name: "local.retention.bytes", Value: v,
			Reason: "Value must not be more than retention.bytes",
		}
	}
	return nil
}

// exceeds compares bounds of which a negative one is none.
func exceeds(a, b int64) bool { return b >= 0 && (a < 0 || a > b) }

// validateEach checks every value on its own, in the order of names.
func validateEach(configs map[string]string, index map[string]*Setting) error {
	var first error
	var at string
	for name, value := range configs {
		var err error
		if s, ok := index[name]; !ok {
			err = &Error{Name: name, Value: value, Unknown: true}
		} else {
			err = s.Validate(value)
		}
		if err != nil && (first == nil || name < at) {
			first, at = err, name
		}
	}
	return first
}

// view reads values of the first source that has them, and keeps the first error.
type view struct {
	explicit, inherited map[string]string
	index               map[string]*Setting
	err                 error
}

func (v *view) text(name string) string {
	if s, ok := v.explicit[name]; ok {
		return strings.TrimSpace(s)
	}
	if s, ok := v.inherited[name]; ok {
		return strings.TrimSpace(s)
	}
	return v.index[name].Default
}

func (v *view) long(name string) int64 {
	s := v.text(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && v.err == nil {
		v.err = &Error{Name: name, Value: s, Reason: "Not a number"}
	}
	return n
}

func (v *view) boolean(name string) bool { return strings.EqualFold(v.text(name), "true") }

func (v *view) double(name string) float64 {
	s := v.text(name)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && v.err == nil {
		v.err = &Error{Name: name, Value: s, Reason: "Not a number"}
	}
	return f
}

func (v *view) millis(name string) time.Duration {
	n := v.long(name)
	if n > int64(Unbounded/time.Millisecond) {
		return Unbounded
	}
	return time.Duration(n) * time.Millisecond
}
