package settings

import (
	"strconv"
	"time"
)

// Cleaner is how compacted logs are cleaned.
type Cleaner struct {
	Enabled           bool          // log.cleaner.enable
	Threads           int           // log.cleaner.threads; 0: none
	DedupeBufferBytes int64         // log.cleaner.dedupe.buffer.size, over all threads
	LoadFactor        float64       // log.cleaner.io.buffer.load.factor
	BytesPerSecond    float64       // log.cleaner.io.max.bytes.per.second, over all threads
	Backoff           time.Duration // log.cleaner.backoff.ms
}

// anyRate is Kafka's way to say that a rate has no bound: the largest double.
const anyRate = "1.7976931348623157E308"

// cleanerAgentSettings is the table of the cleaner's settings. They may be altered at any time and
// count from the next look at the logs on.
var cleanerAgentSettings = []*Setting{
	{
		Name: "log.cleaner.backoff.ms", Type: Long, Default: "15000",
		Doc:   "Milliseconds that the cleaner sleeps when there is nothing to clean.",
		check: atLeast(0),
	},
	{
		Name: "log.cleaner.dedupe.buffer.size", Type: Long, Default: "134217728",
		Doc: "Bound on the memory for the keys of the logs that are being cleaned, over all threads; 24 " +
			"bytes a key, taken as it is needed. Unit bytes.",
		check: atLeast(1 << 10),
	},
	{
		Name: "log.cleaner.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc: "Clean compacted logs; without it they grow for ever. Deprecated in Kafka 4.1.",
	},
	{
		Name: "log.cleaner.io.buffer.load.factor", Type: Double, Default: "0.9",
		Doc:   "Share of the dedupe buffer that may be filled.",
		check: loadFactor,
	},
	{
		Name: "log.cleaner.io.buffer.size", Type: Int, Default: "524288",
		Doc:         "Memory of the cleaner's I/O buffers. Unit bytes.",
		check:       atLeast(0),
		Unsupported: "each thread has about 2 MiB",
	},
	{
		Name: "log.cleaner.io.max.bytes.per.second", Type: Double, Default: anyRate,
		Doc:   "Bound on what cleaning reads and writes in a second, over all threads. Unit bytes.",
		check: positive,
	},
	{
		Name: "log.cleaner.threads", Type: Int, Default: "1",
		Doc:   "Logs that are cleaned at once.",
		check: between(0, 64),
	},
}

func (v *view) cleaner() Cleaner {
	return Cleaner{
		Enabled:           v.boolean("log.cleaner.enable"),
		Threads:           int(v.long("log.cleaner.threads")),
		DedupeBufferBytes: v.long("log.cleaner.dedupe.buffer.size"),
		LoadFactor:        v.double("log.cleaner.io.buffer.load.factor"),
		BytesPerSecond:    v.double("log.cleaner.io.max.bytes.per.second"),
		Backoff:           v.millis("log.cleaner.backoff.ms"),
	}
}

// loadFactor is the bound of how full a table may be.
var loadFactor = rule{"above 0, below 1", func(v string) string {
	if f, err := strconv.ParseFloat(v, 64); err != nil || !(f > 0 && f < 1) {
		return "Value must be more than 0 and less than 1"
	}
	return ""
}}

// positive is the bound of rates.
var positive = rule{"above 0", func(v string) string {
	if f, err := strconv.ParseFloat(v, 64); err != nil || !(f > 0) {
		return "Value must be more than 0"
	}
	return ""
}}
