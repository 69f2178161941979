package remote

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/varve-log/varve/internal/objstore"
	"golang.org/x/sync/errgroup"
)

const hashBytes = 256 << 10

var (
	hashBuffers = sync.Pool{New: func() any { return new([hashBytes]byte) }}
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

// putParts uploads a large object in parallel parts. The condition is decided when the parts are
// put together, so a conflict costs the whole transfer. Whatever fails, the parts are removed
// again.
func (s *Store) putParts(
	ctx context.Context, op operation, full string, body objstore.Body,
) (info objstore.Info, err error) {
	var id string
	begin := operation{name: "put", key: op.key}
	err = s.try(ctx, begin, func(ctx context.Context) (err error) {
		id, err = s.client.CreateUpload(ctx, full)
		return err
	})
	if err != nil {
		return objstore.Info{}, err
	}
	defer func() {
		if err != nil {
			s.abort(ctx, full, id)
		}
	}()
	parts, err := s.sendParts(ctx, op, full, id, body)
	if err != nil {
		return objstore.Info{}, err
	}
	return s.complete(ctx, op, id, parts, upload(full, op.body, body, op.cond))
}

func (s *Store) sendParts(
	ctx context.Context, op operation, full, id string, body objstore.Body,
) ([]Part, error) {
	size := partSize(body.Size, s.cfg.PartBytes)
	parts := make([]Part, (body.Size+size-1)/size)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.PartsParallel)
	for i := range parts {
		g.Go(func() error {
			offset := int64(i) * size
			u := Upload{Key: full}
			u.Body = io.NewSectionReader(op.body, offset, min(size, body.Size-offset))
			sum, err := checksum(u.Body)
			if err != nil {
				return fmt.Errorf("put %s: read body at %d: %w", op.key, offset, err)
			}
			u.CRC32C = EncodeChecksum(sum)
			sendOp := operation{name: "put part of", key: op.key, body: op.body}
			return s.try(gctx, sendOp, func(ctx context.Context) (err error) {
				if _, err := u.Body.Seek(0, io.SeekStart); err != nil {
					return err
				}
				parts[i], err = s.client.UploadPart(ctx, id, int32(i+1), u)
				return err
			})
		})
	}
	return parts, g.Wait()
}

// complete puts the parts together. A repeated request may be told that the upload is gone because
// the first one did it: then the object itself decides.
func (s *Store) complete(
	ctx context.Context, op operation, id string, parts []Part, u Upload,
) (info objstore.Info, err error) {
	op.body = nil
	tries := 0
	err = s.try(ctx, op, func(ctx context.Context) (err error) {
		tries++
		info, err = s.client.CompleteUpload(ctx, id, parts, u)
		if err == nil || tries == 1 || s.client.Explain(err).Code != "NoSuchUpload" {
			return err
		}
		head, herr := s.client.Head(ctx, u.Key)
		if herr != nil || head.Size != u.Body.Size() {
			return errors.Join(err, herr)
		}
		info = head
		return nil
	})
	return info, err
}

// abort removes the parts of a failed upload, also after the caller gave up.
func (s *Store) abort(ctx context.Context, full, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_ = s.try(ctx, operation{name: "abort", key: full}, func(ctx context.Context) error {
		return s.client.AbortUpload(ctx, full, id)
	})
}

// partSize is at least the configured size, and so large that the parts are not too many.
func partSize(size, least int64) int64 {
	need := (size + partsMax - 1) / partsMax
	need = (need + partBytesRound - 1) / partBytesRound * partBytesRound
	return max(least, need)
}

func checksum(body *io.SectionReader) (uint32, error) {
	buf := hashBuffers.Get().(*[hashBytes]byte)
	defer hashBuffers.Put(buf)
	crc := uint32(0)
	for off := int64(0); off < body.Size(); {
		n, err := body.ReadAt(buf[:min(hashBytes, body.Size()-off)], off)
		if n == 0 {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		crc = crc32.Update(crc, castagnoli, buf[:n])
		off += int64(n)
	}
	return crc, nil
}
