package checkpoint

import "github.com/varve-log/varve/kafka"

// SlackBytes is how much a checkpoint may hold beyond its share of the local log before it is made
// anew.
const SlackBytes = 16 << 20

// Log is what Plan has to know of a partition's local log.
type Log struct {
	// StartOffset is where it begins, EndOffset how far it is to be saved.
	StartOffset, EndOffset kafka.Offset
	// CompleteFrom is the offset from which no tombstone was ever dropped by cleaning.
	CompleteFrom kafka.Offset
	// Bytes is its size, NewBytes that of what lies at and above the checkpoint's end.
	Bytes, NewBytes int64
}

// Plan gives the offset from which a save makes the checkpoint anew: its end where an increment is
// enough, the base of an older part to merge with it, or the log's start. parts are those of the
// checkpoint so far.
//
// An increment takes in the newest parts that were made from no more log than what is new, so that
// the number of parts stays at the logarithm of the log and a byte is read about as often. It never
// begins, except at the log's start, where a tombstone at or above it is gone from the log: an older
// part may hold the value that it deleted.
func Plan(parts []Part, l Log) kafka.Offset {
	if len(parts) == 0 {
		return l.StartOffset
	}
	end := parts[len(parts)-1].NextOffset
	var stored int64
	for _, p := range parts {
		stored += p.Bytes()
	}
	if end < l.StartOffset || l.CompleteFrom > end || len(parts) >= PartsMax ||
		stored > l.Bytes+l.Bytes/2+SlackBytes {
		return l.StartOffset
	}
	from, source := end, l.NewBytes
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		if p.SourceBytes > source || p.SourceBytes > PartSourceMax/2 {
			break
		}
		if i == 0 {
			return l.StartOffset
		}
		if p.BaseOffset < l.CompleteFrom || p.BaseOffset < l.StartOffset {
			break
		}
		from, source = p.BaseOffset, source+p.SourceBytes
	}
	return from
}
