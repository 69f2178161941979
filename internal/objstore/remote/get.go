package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/varve-log/varve/internal/objstore"
)

// Get implements objstore.Store. A body that breaks off is resumed, on the same version of the
// object, at most Config.ResumesMax times.
func (s *Store) Get(
	ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	full, err := s.key(key)
	if err == nil && (r.Length < 0 || r.Offset < 0 && r.Length != 0) {
		err = fmt.Errorf("%w: offset %d, length %d", objstore.ErrInvalidRange, r.Offset, r.Length)
	}
	if err != nil {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	d, err := s.open(ctx, operation{name: "get", key: key}, full, r.Header(), "")
	if err != nil {
		return nil, objstore.Info{}, err
	}
	begin, end, size, err := extent(d)
	if err == nil && d.ContentRange == "" && r != (objstore.Range{}) {
		err = errors.New("the store ignored the range")
	}
	if err != nil {
		_ = d.Body.Close()
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	info := d.Info
	info.Key, info.Size = key, size
	return &stream{
		ctx: ctx, store: s, key: key, full: full, etag: info.ETag,
		body: d.Body, at: begin, end: end,
	}, info, nil
}

func (s *Store) open(
	ctx context.Context, op operation, full, httpRange, etag string,
) (d Download, err error) {
	err = s.try(ctx, op, func(ctx context.Context) (err error) {
		d, err = s.client.Get(ctx, full, httpRange, etag)
		return err
	})
	return d, err
}

// extent reads which bytes [begin, end) of an object of that size a download holds.
func extent(d Download) (begin, end, size int64, err error) {
	if d.ContentRange == "" {
		if d.ContentLength < 0 {
			return 0, 0, 0, errors.New("the store told no Content-Length")
		}
		return 0, d.ContentLength, d.ContentLength, nil
	}
	span, total, ok1 := strings.Cut(strings.TrimPrefix(d.ContentRange, "bytes "), "/")
	first, last, ok2 := strings.Cut(span, "-")
	begin, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	parsed := ok1 && ok2 && errors.Join(err1, err2, err3) == nil
	if !parsed || begin < 0 || begin > end || end >= size {
		return 0, 0, 0, fmt.Errorf("the store told Content-Range %q", d.ContentRange)
	}
	return begin, end + 1, size, nil
}

// stream reads [at, end) of an object, over as many connections as it takes. The context is that of
// the Get, whose body outlives the call.
type stream struct {
	ctx     context.Context
	store   *Store
	key     string
	full    string
	etag    string
	body    io.ReadCloser
	at, end int64
	resumes int
}

// Read implements io.Reader, straight from the connection.
func (r *stream) Read(p []byte) (int, error) {
	if r.at >= r.end {
		return 0, io.EOF
	}
	if rest := r.end - r.at; int64(len(p)) > rest {
		p = p[:rest]
	}
	n, err := r.body.Read(p)
	r.at += int64(n)
	switch {
	case err == nil, r.at >= r.end:
		return n, nil
	case n > 0:
		return n, nil // the next Read sees the error again and resumes
	default:
		return 0, r.resume(err)
	}
}

// resume opens the rest of the object. The caller's Read returns 0, nil then, and is called again.
func (r *stream) resume(cause error) error {
	if cause == io.EOF {
		cause = io.ErrUnexpectedEOF
	}
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("get %s: %w", r.key, err)
	}
	if r.resumes >= r.store.cfg.ResumesMax || r.etag == "" {
		return fmt.Errorf("get %s: body broke off at %d of %d after %d resumes: %w (%w)",
			r.key, r.at, r.end, r.resumes, io.ErrUnexpectedEOF, cause)
	}
	r.resumes++
	_ = r.body.Close()
	rest := objstore.Range{Offset: r.at, Length: r.end - r.at}
	d, err := r.store.open(r.ctx, operation{name: "get", key: r.key}, r.full, rest.Header(), r.etag)
	if err != nil {
		r.body = io.NopCloser(strings.NewReader(""))
		r.resumes = r.store.cfg.ResumesMax
		return fmt.Errorf("%w: resume at %d: %w", io.ErrUnexpectedEOF, r.at, err)
	}
	r.body = d.Body
	if begin, end, _, err := extent(d); err != nil || begin != r.at || end != r.end {
		r.resumes = r.store.cfg.ResumesMax
		return fmt.Errorf("get %s: %w: the store resumed at [%d, %d), asked for [%d, %d)",
			r.key, io.ErrUnexpectedEOF, begin, end, r.at, r.end)
	}
	return nil
}

// Close implements io.Closer.
func (r *stream) Close() error { return r.body.Close() }
