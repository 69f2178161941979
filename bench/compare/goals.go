package main

import "math"

// goal is what a line of the table is to reach.
type goal struct {
	text   string
	limit  float64
	atMost bool
	unit   string
	// of computes what is held against the limit; NaN when something for it was not measured.
	of func(r *results, m metric) float64
}

// met tells whether the goal is reached.
func (g goal) met(value float64) bool {
	if g.atMost {
		return value <= g.limit
	}
	return value >= g.limit
}

// Names of metrics that several rows share.
const (
	throughput = "throughput, MB/s"
	cpuPerGB   = "broker CPU-s/GB"
	p50        = "p50, ms"
	p99        = "p99, ms"
	rawSpeed   = "raw fetch, MB/s"
	rawCPU     = "raw fetch, broker CPU-s/GB"
)

// Names of the metrics of single rows.
const (
	diskSpeed       = "the disk alone, written with fsync, MB/s"
	sealingOff      = "full rate, not sealing, MB/s"
	sealingOn       = "full rate, sealing, MB/s"
	halfP99Off      = "half rate, not sealing, p99 ms"
	halfP99On       = "half rate, sealing, p99 ms"
	backlogGrowth   = "half rate, growth of the backlog, part of what is produced"
	cleanSpeed      = "cleaning beside 20 k/s, MB/s"
	cleanOffProduce = "paced 20 k/s, not cleaning, produce p99 ms"
	cleanOnProduce  = "paced 20 k/s, cleaning, produce p99 ms"
	cleanOffFetch   = "paced 20 k/s, not cleaning, fetch p99 ms"
	cleanOnFetch    = "paced 20 k/s, cleaning, fetch p99 ms"
	coldAgent       = "through the agent, MB/s"
	coldAgentOne    = "through the agent, one partition after another, MB/s"
	coldReplay      = "varve replay -o raw, MB/s"
	readyTime       = "ready, ms"
	idleMemory      = "idle RSS, MB"
	restartTime     = "ready after kill -9, s"
	putsPerSegment  = "PUTs per sealed segment, commit included"
	getsToOpen      = "GETs to open a partition"
	getsByTime      = "GETs to find one of 10^5 segments by time"
)

// goals by line. Where a line has none it is shown for what it tells.
var goals = map[metric]goal{
	{"produce-1k", throughput}:   versus(false, 1.1),
	{"produce-1k", cpuPerGB}:     aboveFloor(0.5),
	{"produce-100b", cpuPerGB}:   aboveFloor(0.5),
	{"pre-encoded", throughput}:  versus(false, 1.5),
	{"pre-encoded", cpuPerGB}:    aboveFloor(0.5),
	{"transactions", throughput}: versus(false, 1),
	{"paced-50k", p99}:           versus(true, 1),
	{"paced-50k", cpuPerGB}:      versus(true, 0.5),
	{"consume", throughput}:      versus(false, 1),
	{"consume", cpuPerGB}:        versus(true, 1),
	{"consume", rawSpeed}:        versus(false, 1),
	{"consume", rawCPU}:          versus(true, 1),
	{"sealing", sealingOn}:       against(sealingOff, "of not sealing", false, 0.7),
	{"sealing", halfP99On}:       against(halfP99Off, "of not sealing", true, 1.2),
	{"sealing", backlogGrowth}:   plain(true, 0.05),
	{"cleaning", cleanSpeed}:     plain(false, 100),
	{"cleaning", cleanOnProduce}: against(cleanOffProduce, "of not cleaning", true, 2),
	{"cleaning", cleanOnFetch}:   against(cleanOffFetch, "of not cleaning", true, 2),
	{"cold", coldAgent}:          ofFloor(0.5),
	{"cold", coldReplay}:         ofFloor(0.8),
	{"start", readyTime}:         plain(true, 300),
	{"start", idleMemory}:        plain(true, 50),
	{"restart", restartTime}:     plain(true, 3),
	{"requests", putsPerSegment}: plain(true, 3),
	{"requests", getsToOpen}:     plain(true, 2),
	{"requests", getsByTime}:     plain(true, 3),
}

// versus is Varve's value as a multiple of Kafka's.
func versus(atMost bool, limit float64) goal {
	return goal{
		text: "of Kafka's", limit: limit, atMost: atMost, unit: "x",
		of: func(r *results, m metric) float64 {
			return r.median(m, colVarve) / r.median(m, colKafka)
		},
	}
}

// aboveFloor is what Varve costs above the sink as a multiple of what Kafka does.
func aboveFloor(limit float64) goal {
	return goal{
		text: "of Kafka's, both above the sink's", limit: limit, atMost: true, unit: "x",
		of: func(r *results, m metric) float64 {
			floor := r.median(m, colFloor)
			kafka := r.median(m, colKafka) - floor
			if kafka <= 0 {
				return math.NaN()
			}
			return (r.median(m, colVarve) - floor) / kafka
		},
	}
}

// ofFloor is Varve's value as a multiple of the floor's.
func ofFloor(limit float64) goal {
	return goal{
		text: "of the SDK alone", limit: limit, unit: "x",
		of: func(r *results, m metric) float64 {
			return r.median(m, colVarve) / r.median(m, colFloor)
		},
	}
}

// against is Varve's value as a multiple of its value in another line of the row.
func against(other, text string, atMost bool, limit float64) goal {
	return goal{
		text: text, limit: limit, atMost: atMost, unit: "x",
		of: func(r *results, m metric) float64 {
			return r.median(m, colVarve) / r.median(metric{m.row, other}, colVarve)
		},
	}
}

// plain is Varve's value itself.
func plain(atMost bool, limit float64) goal {
	return goal{limit: limit, atMost: atMost, of: func(r *results, m metric) float64 {
		return r.median(m, colVarve)
	}}
}
