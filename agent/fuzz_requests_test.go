package agent

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

const (
	// fuzzElementsMax bounds the elements of all arrays of one request.
	fuzzElementsMax = 3000
	// fuzzLearnedMax bounds what is remembered of answers, of each kind.
	fuzzLearnedMax = 16
)

// learned is what answers told: ids and epochs that later requests use, rightly or wrongly.
type learned struct {
	texts map[string][]string
	ints  map[string][]int64
	ids   [][16]byte
}

func newLearned() *learned {
	return &learned{texts: make(map[string][]string), ints: make(map[string][]int64)}
}

// fuzzKinds are the words of field names by which values are remembered and picked.
var fuzzKinds = []string{
	"MemberID", "InstanceID", "TransactionalID", "ProducerID", "ProducerEpoch", "SessionID",
	"MemberEpoch", "Generation", "LeaderEpoch", "Group", "Topic", "Offset",
}

func kindOf(field string) string {
	for _, k := range fuzzKinds {
		if strings.Contains(field, k) {
			return k
		}
	}
	return ""
}

// learn remembers what an answer tells.
func (l *learned) learn(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			l.learn(v.Elem(), field)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "UnknownTags" {
				l.learn(v.Field(i), f.Name)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range min(v.Len(), 8) {
			l.learn(v.Index(i), field)
		}
	case reflect.String:
		if k := kindOf(field); k != "" && v.Len() < 200 {
			l.texts[k] = keepLast(l.texts[k], v.String())
		}
	case reflect.Int16, reflect.Int32, reflect.Int64:
		if k := kindOf(field); k != "" {
			l.ints[k] = keepLast(l.ints[k], v.Int())
		}
	case reflect.Array:
		if id, ok := v.Interface().([16]byte); ok {
			l.ids = keepLast(l.ids, id)
		}
	}
}

func keepLast[T any](list []T, v T) []T {
	if len(list) == fuzzLearnedMax {
		list = list[1:]
	}
	return append(list, v)
}

// maker makes requests that are well formed and mean anything. It decides by the fuzzer's bytes
// while there are any, and by a generator seeded with them afterwards.
type maker struct {
	data     []byte
	random   *rand.Rand
	known    *learned
	elements int
}

func newMaker(data []byte, known *learned) *maker {
	seed := uint64(len(data))
	for _, b := range data {
		seed = seed*1099511628211 + uint64(b)
	}
	return &maker{data: data, random: rand.New(rand.NewPCG(seed, 7)), known: known}
}

// n decides on a number below bound.
func (m *maker) n(bound int) int {
	if len(m.data) > 0 && bound <= 256 {
		b := m.data[0]
		m.data = m.data[1:]
		return int(b) % bound
	}
	return m.random.IntN(bound)
}

func (m *maker) one(in int) bool { return m.n(in) == 0 }

func pick[T any](m *maker, of ...T) T { return of[m.n(len(of))] }

// fill gives a value to all that v holds; field is the name of the field that it is in.
func (m *maker) fill(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Name != "UnknownTags" && f.Name != "Version" {
				m.fill(v.Field(i), f.Name)
			}
		}
	case reflect.Pointer:
		if m.one(4) {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		m.fill(v.Elem(), field)
	case reflect.Slice:
		m.slice(v, field)
	case reflect.String:
		v.SetString(m.text(field))
	case reflect.Bool:
		v.SetBool(m.one(2))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(m.number(field, v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(pick(m, -1, 0, 0.5, math.Inf(1), math.NaN()))
	case reflect.Array:
		if id, ok := v.Addr().Interface().(*[16]byte); ok {
			*id = m.id()
		}
	}
}

func (m *maker) slice(v reflect.Value, field string) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes(m.bytes(field))
		return
	}
	size := pick(m, 1, 1, 1, 2, 2, 3, 0, -1)
	if m.one(60) {
		size = 1000
	}
	if size < 0 {
		return
	}
	size = min(size, fuzzElementsMax-m.elements)
	m.elements += size
	v.Set(reflect.MakeSlice(v.Type(), size, size))
	for i := range size {
		e := v.Index(i)
		if d, ok := e.Addr().Interface().(interface{ Default() }); ok && m.one(2) {
			d.Default()
		}
		m.fill(e, field)
	}
}

// number is near what the field may hold, at its bounds, or anything.
func (m *maker) number(field string, bits int) int64 {
	limit := int64(1)<<(bits-1) - 1
	if seen := m.known.ints[kindOf(field)]; len(seen) > 0 && !m.one(4) {
		return clamp(seen[m.n(len(seen))]+pick(m, int64(0), 0, 0, 0, 1, -1), limit)
	}
	switch {
	case strings.Contains(field, "Millis"):
		return clamp(pick(m, int64(0), 1, 5, 100, -1, 6000, 45000, math.MaxInt64), limit)
	case strings.Contains(field, "Partition"), strings.Contains(field, "Replica"):
		return clamp(pick(m, int64(0), 0, 1, 1, 2, -1, 7, math.MaxInt64), limit)
	case strings.Contains(field, "Type"), strings.Contains(field, "Version"), field == "Op":
		return clamp(pick(m, int64(0), 1, 2, 2, 3, 4, 4, 8, 16, 32, 5, -1, 100), limit)
	}
	return clamp(pick(m, int64(0), 0, 1, 1, 2, 3, 10, -1, -1, -2, 100, 1000, math.MaxInt64,
		math.MinInt64, int64(m.random.Uint64())), limit)
}

func clamp(v, limit int64) int64 { return max(min(v, limit), -limit-1) }

func (m *maker) text(field string) string {
	if seen := m.known.texts[kindOf(field)]; len(seen) > 0 && !m.one(3) {
		return seen[m.n(len(seen))]
	}
	switch {
	case strings.Contains(field, "Topic"), field == "ResourceName":
		return pick(m, "t", "u", "t", "keyed", "nosuch", "", "bad name", "1", "g0",
			"__consumer_offsets", "__transaction_state", strings.Repeat("x", 249))
	case strings.Contains(field, "Group"), field == "CoordinatorKey", field == "CoordinatorKeys":
		return pick(m, "g0", "g1", "g2", "g3", "tx0", "", strings.Repeat("g", 300))
	case strings.Contains(field, "Transactional"):
		return pick(m, "tx0", "tx1", "tx2", "", "nosuch")
	case strings.Contains(field, "Protocol"), strings.Contains(field, "Assignor"):
		return pick(m, "consumer", "range", "roundrobin", "uniform", "connect", "", "nosuch")
	case strings.Contains(field, "Name"):
		return pick(m, "t", "g0", "1", "cleanup.policy", "retention.ms", "segment.bytes",
			"compression.type", "consumer.session.timeout.ms", "log.retention.ms", "nosuch", "",
			"transaction.version", "range")
	}
	return pick(m, "", "1", "-1", "t", "compact", "delete", "gzip", "1000000000", "Stable", "t.*", "[",
		"100%\x00", strings.Repeat("y", 1000), "2026-01-01")
}

func (m *maker) id() (id [16]byte) {
	switch {
	case m.one(8):
	case m.one(8):
		binary.BigEndian.PutUint64(id[:], m.random.Uint64())
	case len(m.known.ids) > 0:
		id = m.known.ids[m.n(len(m.known.ids))]
	}
	return id
}

// bytes are a record batch, a member's metadata, or nothing that anyone knows.
func (m *maker) bytes(field string) []byte {
	switch {
	case strings.Contains(field, "Records") && !m.one(6):
		return m.batch()
	case strings.Contains(field, "Metadata") && !m.one(4):
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Version, meta.Topics = int16(m.n(4)), []string{m.text("Topic"), m.text("Topic")}
		return meta.AppendTo(nil)
	case m.one(3):
		return nil
	}
	b := make([]byte, pick(m, 0, 1, 4, 61, 70, 500))
	for i := range b {
		b[i] = byte(m.random.Uint32())
	}
	return b
}

func (m *maker) batch() []byte {
	b := record.NewBuilder(pick(m, record.None, record.None, record.Gzip, record.Snappy, record.LZ4,
		record.Zstd))
	if m.one(2) {
		b.Transactional = m.one(2)
		b.SetProducer(kafka.ProducerID(m.number("ProducerID", 64)), int16(m.number("ProducerEpoch", 16)),
			int32(m.number("", 32)))
	}
	at := kafka.TimestampOf(time.Unix(1_700_000_000, 0))
	for range 1 + m.n(4) {
		var key []byte
		if m.one(2) {
			key = []byte(m.text(""))
		}
		b.Append(at+kafka.Timestamp(m.number("", 32)), key, []byte(m.text("")),
			record.Header{Key: m.text(""), Value: key})
	}
	out, err := b.Build()
	if err != nil {
		return nil
	}
	if m.one(10) && len(out) > record.HeaderSize {
		out[m.random.IntN(len(out))] ^= 1
	}
	return out
}
