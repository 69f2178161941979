package manifest

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/varve-log/varve/kafka"
)

// First components of the keys of this package's objects.
const (
	SegmentsPrefix  = "segments/"
	ManifestsPrefix = "manifests/"
)

// UIDBytesMax bounds the unique part of an object's name.
const UIDBytesMax = 64

const offsetDigits = 20

// HashByte spreads segments over the store's prefixes: the low byte of the CRC-32 (IEEE, as in
// zlib) of "<topic id in hex>/<partition>/<base offset in 20 digits>".
func HashByte(tp kafka.TopicPartition, base kafka.Offset) byte {
	name := fmt.Sprintf("%s/%d/%0*d", tp.Topic.Hex(), tp.Partition, offsetDigits, int64(base))
	return byte(crc32.ChecksumIEEE([]byte(name)))
}

// SegmentName is what a segment's key tells about it.
type SegmentName struct {
	TP          kafka.TopicPartition
	BaseOffset  kafka.Offset
	LeaderEpoch kafka.LeaderEpoch
	UID         string
}

// Key is segments/<hash byte>/<topic id>/<partition>/<base offset>-<leader epoch>-<uid>, the base
// offset in 20 digits.
func (n SegmentName) Key() string {
	return fmt.Sprintf("%s%02x/%s/%d/%0*d-%d-%s", SegmentsPrefix, HashByte(n.TP, n.BaseOffset),
		n.TP.Topic.Hex(), n.TP.Partition, offsetDigits, int64(n.BaseOffset), n.LeaderEpoch, n.UID)
}

// ParseSegmentKey is the inverse of Key; false when the key is not exactly of that form.
func ParseSegmentKey(key string) (SegmentName, bool) {
	rest, ok := strings.CutPrefix(key, SegmentsPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 4 {
		return SegmentName{}, false
	}
	tp, ok := parseTP(parts[1], parts[2])
	name := strings.SplitN(parts[3], "-", 3)
	if !ok || len(name) != 3 {
		return SegmentName{}, false
	}
	base, err := strconv.ParseInt(name[0], 10, 64)
	if err != nil {
		return SegmentName{}, false
	}
	epoch, err := strconv.ParseInt(name[1], 10, 32)
	if err != nil || epoch < 0 {
		return SegmentName{}, false
	}
	n := SegmentName{
		TP: tp, BaseOffset: kafka.Offset(base), LeaderEpoch: kafka.LeaderEpoch(epoch), UID: name[2],
	}
	return n, ValidUID(n.UID) && n.Key() == key
}

// HeadKey is manifests/<topic id>/<partition>/head.
func HeadKey(tp kafka.TopicPartition) string { return ManifestsPrefix + tp.String() + "/head" }

// PageName is what a page's key tells about it.
type PageName struct {
	TP          kafka.TopicPartition
	LeaderEpoch kafka.LeaderEpoch
	UID         string
}

// Key is manifests/<topic id>/<partition>/pages/<leader epoch>-<uid>.
func (n PageName) Key() string {
	return fmt.Sprintf("%s%s/pages/%d-%s", ManifestsPrefix, n.TP, n.LeaderEpoch, n.UID)
}

// ParseManifestKey tells the partition of a key below manifests/ and, for a page, its name; for a
// head page is nil. False when the key is neither.
func ParseManifestKey(key string) (tp kafka.TopicPartition, page *PageName, ok bool) {
	rest, ok := strings.CutPrefix(key, ManifestsPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 3 {
		return tp, nil, false
	}
	if tp, ok = parseTP(parts[0], parts[1]); !ok {
		return tp, nil, false
	}
	if len(parts) == 3 {
		return tp, nil, key == HeadKey(tp)
	}
	epochText, uid, found := strings.Cut(parts[3], "-")
	epoch, err := strconv.ParseInt(epochText, 10, 32)
	if err != nil || !found {
		return tp, nil, false
	}
	page = &PageName{TP: tp, LeaderEpoch: kafka.LeaderEpoch(epoch), UID: uid}
	return tp, page, ValidUID(uid) && page.Key() == key
}

// ValidUID reports whether s can be part of a key: 1 to UIDBytesMax lower-case letters and digits.
func ValidUID(s string) bool {
	if s == "" || len(s) > UIDBytesMax {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func parseTP(topic, partition string) (tp kafka.TopicPartition, ok bool) {
	id, err := kafka.ParseTopicID(topic)
	if err != nil {
		return tp, false
	}
	n, err := strconv.ParseInt(partition, 10, 32)
	if err != nil || n < 0 {
		return tp, false
	}
	return kafka.TopicPartition{Topic: id, Partition: int32(n)}, true
}
