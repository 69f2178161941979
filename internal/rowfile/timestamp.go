package rowfile

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/varve-log/varve/kafka"
)

// layouts are the forms of a time in text that are read; without a zone it is UTC.
var layouts = [...]string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly,
}

// parseTimestamp reads a JSON value, or the same without quotes, as a record timestamp.
func parseTimestamp(text []byte) (kafka.Timestamp, error) {
	text = bytes.Trim(text, `"`)
	if len(text) == 0 || string(text) == "null" {
		return kafka.NoTimestamp, nil
	}
	if ms, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return validTimestamp(kafka.Timestamp(ms))
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return validTimestamp(kafka.TimestampOf(t))
		}
	}
	return 0, fmt.Errorf("timestamp %.40q is neither milliseconds since 1970 nor RFC 3339", text)
}

// validTimestamp refuses times that Kafka has no number for.
func validTimestamp(ts kafka.Timestamp) (kafka.Timestamp, error) {
	if ts < 0 {
		return 0, fmt.Errorf("timestamp %s is before 1970, which Kafka records cannot hold",
			ts.Time().Format(time.RFC3339))
	}
	return ts, nil
}
