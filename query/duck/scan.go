//go:build cgo

package duck

import (
	"context"
	"errors"
	"io"
	"sync"
	"unsafe"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/query/arrowrec"
	"github.com/varve-log/varve/query/table"
)

const (
	// unitBytesMax is how many bytes of neighbouring segments one thread reads in a row.
	unitBytesMax = 64 << 20
	// unitsAhead bounds the listing's lead over the reading.
	unitsAhead = 16
)

// unit is a run of offsets that one thread reads.
type unit struct {
	tp      kafka.TopicPartition
	offsets kafka.OffsetRange
	bytes   int64
}

// scan is one run of a reference: a listing that feeds the threads that read.
type scan struct {
	st       *statement
	ref      *reference
	threads  int
	columns  []int        // of each output vector, -1 for what nothing reads
	decode   arrowrec.Set // never empty
	ctx      context.Context
	cancel   context.CancelFunc
	units    chan unit     // closed by the listing
	listDone chan struct{} // closed when listErr is set

	mu      sync.Mutex
	listErr error
	report  ScanReport
}

// scan starts a run that reads the columns.
func (r *reference) scan(columns []int) *scan {
	s := &scan{
		st: r.st, ref: r, threads: r.st.o.Threads, columns: columns,
		units: make(chan unit, unitsAhead), listDone: make(chan struct{}),
		report: ScanReport{Topic: r.topic.Name, Pruning: r.pruning, Columns: []string{}},
	}
	for _, c := range columns {
		if c >= 0 {
			s.decode |= arrowrec.Of(arrowrec.Column(c))
			s.report.Columns = append(s.report.Columns, arrowrec.Column(c).Name())
		}
	}
	if s.decode == 0 {
		s.decode = arrowrec.Of(arrowrec.Offset)
	}
	s.ctx, s.cancel = context.WithCancel(r.st.ctx)
	r.st.mu.Lock()
	r.st.scans = append(r.st.scans, s)
	r.st.mu.Unlock()
	go s.list()
	return s
}

// list sends what is to be read, partition by partition in offset order.
func (s *scan) list() {
	defer close(s.listDone)
	defer close(s.units)
	for p := range s.ref.topic.Partitions {
		if !s.st.o.CountPruned && !s.ref.bounds.MayHoldPartition(p) {
			continue
		}
		if err := s.listPartition(p); err != nil {
			s.mu.Lock()
			s.listErr = err
			s.mu.Unlock()
			return
		}
	}
}

func (s *scan) listPartition(p int32) error {
	u := unit{tp: kafka.TopicPartition{Topic: s.ref.topic.ID, Partition: p}}
	for seg, err := range s.st.src.Segments(s.ctx, u.tp, s.ref.bounds) {
		if err != nil {
			return err
		}
		clip := s.ref.bounds.Clip(p, seg)
		s.count(seg, clip)
		if clip.Empty() {
			continue
		}
		if u.offsets.Next != clip.Base || u.bytes >= unitBytesMax {
			if err := s.send(u); err != nil {
				return err
			}
			u.offsets, u.bytes = kafka.OffsetRange{Base: clip.Base}, 0
		}
		u.offsets.Next = clip.Next
		u.bytes += seg.Bytes
	}
	return s.send(u)
}

func (s *scan) send(u unit) error {
	if u.bytes == 0 {
		return nil
	}
	select {
	case s.units <- u:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (s *scan) count(seg table.Segment, clip kafka.OffsetRange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.report
	r.Segments += seg.Count
	r.Bytes += seg.Bytes
	if clip.Empty() {
		r.SegmentsPruned += seg.Count
		r.BytesPruned += seg.Bytes
	} else {
		r.SegmentsRead += seg.Count
		r.BytesRead += seg.Bytes
	}
}

func (s *scan) snapshot() ScanReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// next returns the next run to read, or io.EOF.
func (s *scan) next() (unit, error) {
	if u, ok := <-s.units; ok {
		return u, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listErr != nil {
		return unit{}, s.listErr
	}
	return unit{}, io.EOF
}

// drop ends the run: the listing is waited for, the workers are dropped on their own.
func (s *scan) drop() {
	s.cancel()
	<-s.listDone
}

// worker is one thread's part of a scan.
type worker struct {
	reader *arrowrec.Reader
	rows   arrowrec.Rows
}

// fill puts the next rows into a data chunk; none at the end.
func (w *worker) fill(s *scan, chunk unsafe.Pointer) error {
	for {
		err := w.advance(s)
		if errors.Is(err, io.EOF) {
			setChunkSize(chunk, 0)
			return nil
		}
		if err != nil {
			return err
		}
		err = w.reader.Fill(s.ctx, &w.rows, vectorRows)
		if err == nil {
			s.mu.Lock()
			s.report.Rows += int64(w.rows.Len)
			s.mu.Unlock()
			return fillChunk(chunk, s.columns, &w.rows)
		}
		closeErr := w.close()
		if !errors.Is(err, io.EOF) {
			return err
		}
		if closeErr != nil {
			return closeErr
		}
	}
}

// advance makes sure that there is a reader.
func (w *worker) advance(s *scan) error {
	if w.reader != nil {
		return nil
	}
	u, err := s.next()
	if err != nil {
		return err
	}
	batches, err := s.st.src.Batches(s.ctx, u.tp, u.offsets)
	if err != nil {
		return err
	}
	w.reader = arrowrec.NewReader(u.tp.Partition, batches, arrowrec.Options{
		Columns: s.decode, Format: s.ref.topic.ValueFormat, Offsets: u.offsets,
	})
	return nil
}

func (w *worker) close() error {
	if w.reader == nil {
		return nil
	}
	err := w.reader.Close()
	w.reader = nil
	return err
}

func (w *worker) drop() { _ = w.close() }
