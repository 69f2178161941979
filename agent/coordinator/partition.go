package coordinator

import "unicode/utf16"

// PartitionFor is the partition of an internal topic that an id belongs to: Kafka's hash, Java's
// String.hashCode without its sign, modulo the partition count.
func PartitionFor(id string, partitions int32) int32 {
	var hash int32
	for _, unit := range utf16.Encode([]rune(id)) {
		hash = 31*hash + int32(unit)
	}
	if hash == -1<<31 { // has no positive counterpart; Kafka's Utils.abs gives 0
		return 0
	}
	return max(hash, -hash) % partitions
}
