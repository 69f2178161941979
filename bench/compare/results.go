package main

import (
	"math"
	"slices"
)

// The table's columns of values.
const (
	colVarve = "varve"
	colKafka = "kafka"
	colFloor = "floor" // the sink, or the SDK alone
)

var columns = []string{colVarve, colKafka, colFloor}

// metric is one line of the table.
type metric struct {
	row, name string
}

// results holds every value that was measured. Lines keep the order in which they came.
type results struct {
	order  []metric
	values map[metric]map[string][]float64
	notes  []string
}

func newResults() *results {
	return &results{values: map[metric]map[string][]float64{}}
}

// add appends the value of one round. The unit is part of the metric's name.
func (r *results) add(m metric, column string, value float64) {
	if r.values[m] == nil {
		r.values[m] = map[string][]float64{}
		r.order = append(r.order, m)
	}
	r.values[m][column] = append(r.values[m][column], value)
}

// summary is what the rounds of one cell come to.
type summary struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// of gives a cell's summary; false when nothing was measured.
func (r *results) of(m metric, column string) (summary, bool) {
	v := r.values[m][column]
	if len(v) == 0 {
		return summary{}, false
	}
	sorted := slices.Sorted(slices.Values(v))
	mid := len(sorted) / 2
	median := sorted[mid]
	if len(sorted)%2 == 0 {
		median = (sorted[mid-1] + sorted[mid]) / 2
	}
	return summary{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1], Rounds: v}, true
}

// median is NaN where nothing was measured, which every goal built on it then is too.
func (r *results) median(m metric, column string) float64 {
	s, ok := r.of(m, column)
	if !ok {
		return math.NaN()
	}
	return s.Median
}
