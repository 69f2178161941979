package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

// pipeline gets the chunks of a range of offsets ahead of the consumer, in order. A planner walks
// the manifest and starts one goroutine for each chunk. Twice as many chunks as GETs at once are
// planned, so that chunks which are ready behind a slow one leave no connection idle.
type pipeline struct {
	r        *Reader
	manifest Manifest
	from, to kafka.Offset

	cancel context.CancelFunc
	jobs   chan *job     // its capacity bounds how many are under way or wait to be consumed
	gets   chan struct{} // one token for each GET under way
	wg     sync.WaitGroup
}

// job is one chunk: bytes [from, to) of an object's data.
type job struct {
	entry    manifest.Entry
	object   cache.Object
	from, to int64
	end      int64 // up to here bytes are got: to, or the end of the block that holds it
	first    int64 // where the first batch of interest begins, if this job begins a segment's read
	opens    bool  // begins a segment's read
	closes   bool  // ends a segment's read
	whole    bool  // gets the footer along with the data, in one GET

	done   chan struct{} // closed when the fields below are set
	chunk  *chunk
	footer *segment.Footer
	good   int64 // data is verified up to this position
	err    error // why there is nothing from good on
}

func startPipeline(r *Reader, m Manifest, from, to kafka.Offset, parallel int) *pipeline {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pipeline{
		r: r, manifest: m, from: from, to: to, cancel: cancel,
		jobs: make(chan *job, 2*parallel-1), gets: make(chan struct{}, parallel),
	}
	p.wg.Go(func() { p.plan(ctx) })
	return p
}

// stop ends all work, waits for it and gives the memory back.
func (p *pipeline) stop() {
	p.cancel()
	for j := range p.jobs {
		<-j.done
		j.drop()
	}
	p.wg.Wait()
}

func (j *job) drop() {
	if j.chunk != nil {
		j.chunk.release()
		j.chunk = nil
	}
}

func (p *pipeline) plan(ctx context.Context) {
	defer close(p.jobs)
	for e, err := range p.manifest.Entries(ctx, p.from) {
		if err != nil {
			p.fail(ctx, manifest.Entry{BaseOffset: p.from, NextOffset: p.from}, err)
			return
		}
		if e.BaseOffset >= p.to || !p.planSegment(ctx, e) {
			return
		}
	}
}

// planSegment starts the jobs of one segment and reports whether to go on.
func (p *pipeline) planSegment(ctx context.Context, e manifest.Entry) bool {
	object := objectOf(p.manifest.TP(), e)
	if e.Bytes <= int64(p.r.cfg.ChunkBytes) {
		return p.start(ctx, &job{
			entry: e, object: object, to: e.DataBytes, end: e.Bytes,
			opens: true, closes: true, whole: true,
		})
	}
	f, err := p.r.footers.Get(ctx, object, e.FooterBytes)
	if err != nil {
		return p.fail(ctx, e, fmt.Errorf("read footer: %w", err))
	}
	first, from, to := int64(0), int64(0), e.DataBytes
	if p.from > e.BaseOffset {
		first = f.Lookup(p.from)
		from = first - first%f.BlockBytes()
	}
	if p.to < e.NextOffset {
		_, to = f.LookupAfter(f.Lookup(p.to) + 1)
	}
	step := wholeBlocks(int64(p.r.cfg.ChunkBytes), f.BlockBytes())
	for at := from; at < to; {
		next := min(to, at-at%step+step)
		j := &job{
			entry: e, object: object, footer: f, from: at, to: next, first: first,
			opens: at == from, closes: next == to,
		}
		// The last chunk ends with a block too, so that it can be verified, but for what lies behind
		// the range.
		j.end = min(next+f.BlockBytes()-1-(next+f.BlockBytes()-1)%f.BlockBytes(), e.DataBytes)
		if !p.start(ctx, j) {
			return false
		}
		at = next
	}
	return true
}

// wholeBlocks is the size of chunks: whole blocks, one at least.
func wholeBlocks(chunkBytes, blockBytes int64) int64 {
	return max(blockBytes, chunkBytes-chunkBytes%blockBytes)
}

// start queues a job, waiting for room, and begins to work on it.
func (p *pipeline) start(ctx context.Context, j *job) bool {
	j.done = make(chan struct{})
	select {
	case p.jobs <- j:
	case <-ctx.Done():
		return false
	}
	p.wg.Go(func() {
		defer close(j.done)
		p.fetch(ctx, j)
	})
	return true
}

// fail queues an error in place of a segment.
func (p *pipeline) fail(ctx context.Context, e manifest.Entry, err error) bool {
	j := &job{entry: e, object: objectOf(p.manifest.TP(), e), err: err, done: make(chan struct{})}
	close(j.done)
	select {
	case p.jobs <- j:
	case <-ctx.Done():
	}
	return false
}

// fetch gets a job's bytes and verifies them, a second time where the first bytes are bad: they may
// have been damaged on the way.
func (p *pipeline) fetch(ctx context.Context, j *job) {
	select {
	case p.gets <- struct{}{}:
		defer func() { <-p.gets }()
	case <-ctx.Done():
		j.good, j.err = j.from, ctx.Err()
		return
	}
	j.chunk = p.r.pool.get(j.end - j.from)
	for range 2 {
		j.good = j.from
		if j.err = p.fetchOnce(ctx, j); !errors.Is(j.err, segment.ErrCorrupt) {
			break
		}
		p.r.metrics.CorruptReads.Inc()
	}
	if j.good == j.from {
		j.drop()
	}
}

func (p *pipeline) fetchOnce(ctx context.Context, j *job) error {
	if j.whole {
		return p.fetchWhole(ctx, j)
	}
	data := j.chunk.mem[headroomBytes:][:j.end-j.from]
	// Each block is verified while it is in the processor's caches.
	err := p.r.direct.ReadSteps(ctx, j.object, data, j.from, cache.Steps{
		Bytes: int(j.footer.BlockBytes()),
		Seen: func(part []byte, at int64) error {
			if err := j.footer.VerifyBlocks(at, part); err != nil {
				return err
			}
			j.good = min(at+int64(len(part)), j.to)
			return nil
		},
	})
	p.r.metrics.ReadBytes.Add(float64(j.good - j.from))
	return err
}

func (p *pipeline) fetchWhole(ctx context.Context, j *job) error {
	object := j.chunk.mem[headroomBytes:][:j.object.Size]
	if err := p.r.direct.ReadRange(ctx, j.object, object, 0); err != nil {
		return err
	}
	p.r.metrics.ReadBytes.Add(float64(len(object)))
	footer, err := cache.ParseFooter(object[j.entry.DataBytes:], j.object)
	if err != nil {
		return err
	}
	j.footer = footer
	return j.verify(object[:j.entry.DataBytes])
}

// verify sets good to the end of the blocks that fit their checksums.
func (j *job) verify(data []byte) error {
	err := j.footer.VerifyBlocks(j.from, data)
	if err == nil {
		j.good = j.to
		return nil
	}
	block := j.footer.BlockBytes()
	for at := j.from; at < j.to; at += block {
		part := data[at-j.from : min(at+block, j.to)-j.from]
		if j.footer.VerifyBlocks(at, part) != nil {
			j.good = at
			break
		}
	}
	return err
}
