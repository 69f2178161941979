package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// movesMax bounds how often in a row the manifest may move under an iterator without a batch read.
const movesMax = 16

// Iterator gives a range of one partition in Runs. It is not safe for concurrent use.
type Iterator struct {
	r        *Reader
	manifest Manifest
	options  Options

	start    kafka.Offset
	position kafka.Offset // everything below was given out or skipped
	end      kafka.Offset

	pipe *pipeline
	next *job // taken from the pipeline, not consumed yet

	rest    []byte // the start of a batch whose end is in the segment's next chunk
	restRef *chunk // holds rest
	entry   manifest.Entry
	opened  bool // a segment is being read: entry is set
	ahead   kafka.Offset

	moves   int
	skipped []Skip
	closed  bool
}

// Start is the first offset that the iterator could give: From, or the log start offset where that
// is higher.
func (it *Iterator) Start() kafka.Offset { return it.start }

// Position is the next offset: go on from here after an interruption.
func (it *Iterator) Position() kafka.Offset { return it.position }

// End is where the iterator ends, exclusive.
func (it *Iterator) End() kafka.Offset { return it.end }

// Skipped lists what was passed over. It is empty without Options.SkipCorrupt.
func (it *Iterator) Skipped() []Skip { return slices.Clone(it.skipped) }

// Next waits for the next Run, which the caller releases. io.EOF: the end is reached. When ctx ends
// its error is returned and the iterator can be used again; other errors repeat the failed step
// when Next is called again: *CorruptError, *MissingError, those of the store and the manifest.
func (it *Iterator) Next(ctx context.Context) (*Run, error) {
	for {
		if it.closed {
			return nil, ErrClosed
		}
		if it.position >= it.end {
			it.halt()
			return nil, io.EOF
		}
		if it.pipe == nil {
			it.launch()
		}
		j, err := it.await(ctx)
		if err != nil {
			return nil, err
		}
		run, err := it.consume(ctx, j)
		if run != nil || err != nil {
			return run, err
		}
	}
}

// Ready reports whether Next would return at once.
func (it *Iterator) Ready() bool {
	if it.closed || it.position >= it.end {
		return true
	}
	if it.next == nil && it.pipe != nil {
		select {
		case it.next = <-it.pipe.jobs:
		default:
		}
	}
	if it.next == nil {
		return false
	}
	select {
	case <-it.next.done:
		return true
	default:
		return false
	}
}

// Close ends reading ahead and waits for it. Runs given out stay valid until they are released.
func (it *Iterator) Close() {
	it.halt()
	if !it.closed {
		it.closed = true
		it.r.pool.leave()
	}
}

// launch starts to read ahead from position on.
func (it *Iterator) launch() {
	if it.position < it.end {
		it.pipe = startPipeline(it.r, it.manifest, it.position, it.end, it.options.Parallel)
	}
}

// halt ends the pipeline and forgets what it brought.
func (it *Iterator) halt() {
	if it.next != nil {
		<-it.next.done
		it.next.drop()
		it.next = nil
	}
	if it.pipe != nil {
		it.pipe.stop()
		it.pipe = nil
	}
	it.dropRest()
	it.opened = false
}

func (it *Iterator) dropRest() {
	if it.restRef != nil {
		it.restRef.release()
	}
	it.rest, it.restRef = nil, nil
}

// await gives the next job, finished; nil when the plan is at its end.
func (it *Iterator) await(ctx context.Context) (*job, error) {
	if it.next == nil {
		select {
		case it.next = <-it.pipe.jobs:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if it.next == nil {
		return nil, nil
	}
	select {
	case <-it.next.done:
		return it.next, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// consume turns a job into a Run, or deals with why it cannot. Neither a Run nor an error: go on.
func (it *Iterator) consume(ctx context.Context, j *job) (*Run, error) {
	if j == nil {
		return nil, it.overGap(ctx, it.end)
	}
	if j.chunk == nil {
		return nil, it.failed(ctx, j)
	}
	if j.opens && j.entry.BaseOffset > it.position {
		return nil, it.overGap(ctx, j.entry.BaseOffset)
	}
	if j.opens {
		it.entry, it.opened, it.ahead = j.entry, true, j.entry.BaseOffset
	}
	run, err := it.assemble(j)
	if err == nil && j.good == j.to {
		it.next = nil
		j.drop()
	} else if err == nil {
		j.from = j.good // its good part is done with; what remains is the failure
		j.drop()
	}
	if err != nil {
		j.err, j.good = err, j.from
		j.drop()
		it.dropRest()
		return nil, nil
	}
	return run, nil
}

// assemble joins what the chunk before left over with a job's good bytes and cuts whole batches.
func (it *Iterator) assemble(j *job) (*Run, error) {
	mem, ref := j.chunk.mem, j.chunk
	from, to := int64(headroomBytes), headroomBytes+j.good-j.from
	position := j.from
	switch {
	case j.opens && j.first > j.from:
		from += j.first - j.from
		position = j.first
	case len(it.rest) > headroomBytes:
		mem = slices.Concat(it.rest, mem[from:to])
		ref = &chunk{mem: mem}
		ref.refs.Store(1)
		position -= int64(len(it.rest))
		from, to = 0, int64(len(mem))
	case len(it.rest) > 0:
		from -= int64(copy(mem[headroomBytes-len(it.rest):], it.rest))
		position -= int64(len(it.rest))
	}
	it.dropRest()
	if ref != j.chunk {
		defer ref.release()
	}
	if from > to {
		return nil, nil
	}
	return it.cut(j, ref, mem[from:to], position)
}

// cut walks the batches of data, which begins with one at position of the object.
func (it *Iterator) cut(j *job, ref *chunk, data []byte, position int64) (*Run, error) {
	begin, at := 0, 0
	ahead := it.ahead
	for at < len(data) {
		b, _, err := record.Next(data[at:])
		if errors.Is(err, record.ErrTruncated) && (j.good < j.to || !j.closes) {
			break
		}
		if err != nil {
			return nil, broken(position+int64(at), err)
		}
		if b.BaseOffset() < ahead || b.NextOffset() > j.entry.NextOffset {
			return nil, broken(position+int64(at), fmt.Errorf(
				"batch at offsets %d to %d, expected within [%d,%d)",
				b.BaseOffset(), b.LastOffset(), ahead, j.entry.NextOffset))
		}
		if b.BaseOffset() >= it.end {
			ahead = it.end
			break
		}
		at += b.Size()
		ahead = b.NextOffset()
		if ahead <= it.position {
			begin = at
		}
	}
	it.ahead = ahead
	if j.closes && j.good == j.to {
		ahead = max(ahead, min(j.entry.NextOffset, it.end))
	} else if at < len(data) && ahead < it.end {
		it.rest, it.restRef = data[at:], ref
		ref.retain()
	}
	run := &Run{
		Bytes: data[begin:at], Position: position + int64(begin), Entry: j.entry, Footer: j.footer,
		Offsets: kafka.OffsetRange{Base: it.position, Next: max(it.position, ahead)},
	}
	it.position = run.Offsets.Next
	if len(run.Bytes) == 0 {
		return nil, nil
	}
	it.moves = 0
	it.r.metrics.Runs.Inc()
	ref.retain()
	run.chunk = ref
	return run, nil
}

// broken is an error in the chain of batches, whose bytes are as they were sealed.
func broken(position int64, err error) error {
	return &chainError{position: position, err: err}
}

type chainError struct {
	position int64
	err      error
}

func (e *chainError) Error() string   { return fmt.Sprintf("byte %d: %v", e.position, e.err) }
func (e *chainError) Unwrap() []error { return []error{segment.ErrCorrupt, e.err} }

// failed deals with a job that brought nothing, or nothing more.
func (it *Iterator) failed(ctx context.Context, j *job) error {
	var chain *chainError
	switch {
	case errors.Is(j.err, objstore.ErrNotFound):
		return it.missing(ctx, j)
	case errors.As(j.err, &chain):
		it.halt()
		return it.skip(Skip{j.object.Key, it.lostTo(j.entry.NextOffset), nil}, chain.position, j.err)
	case errors.Is(j.err, segment.ErrCorrupt):
		next := j.entry.NextOffset
		if j.footer != nil {
			next, _ = j.footer.LookupAfter(j.good + j.footer.BlockBytes())
		}
		it.halt()
		return it.skip(Skip{j.object.Key, it.lostTo(next), nil}, j.good, j.err)
	default:
		it.halt()
		return fmt.Errorf("replay %s from offset %d: %w", it.manifest.TP(), it.position, j.err)
	}
}

func (it *Iterator) lostTo(next kafka.Offset) kafka.OffsetRange {
	return kafka.OffsetRange{Base: it.position, Next: min(max(next, it.position), it.end)}
}

// skip counts what cannot be read and goes on behind it, or reports it.
func (it *Iterator) skip(s Skip, position int64, cause error) error {
	if cause != nil {
		s.Err = &CorruptError{
			Object: s.Object, Position: position, Offsets: s.Offsets, Err: cause,
		}
	}
	if !it.options.SkipCorrupt {
		return s.Err
	}
	it.r.metrics.Skips.Inc()
	it.skipped = append(it.skipped, s)
	it.position = s.Offsets.Next
	return nil
}

// missing re-reads the head: what it no longer names was retired, what it still names is missing.
func (it *Iterator) missing(ctx context.Context, j *job) error {
	lost := j.entry
	cause := j.err
	moved, err := it.reload(ctx)
	if moved || err != nil {
		return err
	}
	e, ok, err := it.manifest.Find(ctx, it.position)
	if err != nil {
		return fmt.Errorf("find offset %d of %s: %w", it.position, it.manifest.TP(), err)
	}
	if ok && e.UID != lost.UID {
		return it.movedOn(cause)
	}
	r := it.lostTo(lost.NextOffset)
	return it.skip(Skip{
		j.object.Key, r, &MissingError{Object: j.object.Key, Offsets: r},
	}, 0, nil)
}

// overGap deals with a manifest that has nothing from position up to next.
func (it *Iterator) overGap(ctx context.Context, next kafka.Offset) error {
	moved, err := it.reload(ctx)
	if moved || err != nil {
		return err
	}
	e, ok, err := it.manifest.Find(ctx, it.position)
	switch {
	case err != nil:
		return fmt.Errorf("find offset %d of %s: %w", it.position, it.manifest.TP(), err)
	case ok && e.BaseOffset <= it.position:
		return it.movedOn(errors.New("manifest changed while it was read"))
	case ok: // a hole that compaction left
		it.position = min(e.BaseOffset, it.end)
		return nil
	}
	r := it.lostTo(next)
	return it.skip(Skip{"", r, &MissingError{Offsets: r}}, 0, nil)
}

// reload halts, reads the head again and follows the log start offset.
func (it *Iterator) reload(ctx context.Context) (moved bool, err error) {
	it.halt()
	head, err := it.manifest.Load(ctx)
	if err != nil {
		return false, fmt.Errorf("read manifest of %s again: %w", it.manifest.TP(), err)
	}
	if head.LogStartOffset <= it.position {
		return false, nil
	}
	it.position = min(head.LogStartOffset, it.end)
	return true, it.movedOn(nil)
}

// movedOn counts the times that the manifest moved; nil: try again.
func (it *Iterator) movedOn(cause error) error {
	it.moves++
	if it.moves > movesMax {
		it.moves = 0
		return fmt.Errorf("replay %s: manifest moved %d times before offset %d could be read: %w",
			it.manifest.TP(), movesMax, it.position, errors.Join(ErrMissing, cause))
	}
	return nil
}
