package api

import (
	"fmt"
	"strings"

	"github.com/varve-log/varve/kafka"
)

const (
	// recordErrorsMax bounds the records of one batch that are told of one by one.
	recordErrorsMax = 1000
	// recordErrorsShown is how many of them the sentence of the whole batch repeats.
	recordErrorsShown = 3
)

// recordError is what is wrong with one record of a batch (KIP-467).
type recordError struct {
	index   int32
	message string
}

// recordErrors are the records for which a batch is refused.
type recordErrors struct {
	list []recordError
	more int // beyond recordErrorsMax
	time bool
}

func (e *recordErrors) reset() { e.list, e.more, e.time = nil, 0, false }

func (e *recordErrors) add(i int64, message string) {
	if len(e.list) == recordErrorsMax {
		e.more++
		return
	}
	e.list = append(e.list, recordError{int32(i), message})
}

// fault is what the batch is refused with. The words are Kafka's.
func (e *recordErrors) fault() fault {
	switch {
	case len(e.list) == 0:
		return fault{}
	case e.time:
		return fault{
			codeBadTimestamp, "One or more records have been rejected due to invalid timestamp",
		}
	}
	var shown []string
	for _, r := range e.list[:min(len(e.list), recordErrorsShown)] {
		shown = append(shown, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", r.index, r.message))
	}
	return fault{codeInvalidRecord, fmt.Sprintf("One or more records have been rejected due to %d record "+
		"errors in total, and only showing the first three errors at most: [%s]",
		len(e.list)+e.more, strings.Join(shown, ", "))}
}

// recordRules are what a topic asks of each record.
type recordRules struct {
	low, high kafka.Timestamp // accepted timestamps
	keyed     bool            // a key must be there
	errs      *recordErrors
}

// check holds one record against the rules.
func (r *recordRules) check(i int64, ts kafka.Timestamp, noKey bool) {
	if noKey && r.keyed {
		r.errs.add(i, "Compacted topic cannot accept message without key")
		return
	}
	if (ts < r.low || ts > r.high) && ts != kafka.NoTimestamp {
		r.errs.time = true
		r.errs.add(i, fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The "+
			"timestamp should be within [%d, %d]", ts, i, r.low, r.high))
	}
}
