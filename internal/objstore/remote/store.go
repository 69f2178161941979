package remote

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/varve-log/varve/internal/objstore"
)

// Store is a bucket, or a prefix of one, behind a Client.
type Store struct {
	client Client
	url    string
	prefix string // empty or ending in a slash
	cfg    Config
}

var _ objstore.Store = (*Store)(nil)

// New makes a store of the client's bucket under a prefix. url is what the store answers to URL.
func New(client Client, url, prefix string, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("store %s: %w", url, err)
	}
	prefix = strings.Trim(prefix, "/")
	if prefix != "" {
		if err := objstore.CheckKey(prefix); err != nil {
			return nil, fmt.Errorf("store %s: prefix: %w", url, err)
		}
		prefix += "/"
	}
	return &Store{client: client, url: url, prefix: prefix, cfg: cfg}, nil
}

// Put implements objstore.Store. A body without a checksum is read once more than one with.
func (s *Store) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	full, err := s.key(key)
	if err == nil {
		err = cond.Check()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return objstore.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	src := &source{r: body.Reader, size: body.Size}
	if !body.HasCRC32C {
		// some stores keep half a body when a connection breaks, unless a checksum stops them
		if body.CRC32C, err = checksum(io.NewSectionReader(src, 0, body.Size)); err != nil {
			return objstore.Info{}, fmt.Errorf("put %s: read body: %w", key, err)
		}
		body.HasCRC32C = true
	}
	op := operation{name: "put", key: key, cond: cond, body: src}
	var info objstore.Info
	if body.Size >= s.cfg.MultipartBytes {
		info, err = s.putParts(ctx, op, full, body)
	} else {
		err = s.try(ctx, op, func(ctx context.Context) (err error) {
			info, err = s.client.Put(ctx, upload(full, src, body, cond))
			return err
		})
	}
	if err != nil {
		return objstore.Info{}, err
	}
	info.Key, info.Size = key, body.Size
	info.CRC32C, info.HasCRC32C = body.CRC32C, true
	return info, nil
}

func upload(key string, src *source, body objstore.Body, cond objstore.Condition) Upload {
	return Upload{
		Key: key, Body: io.NewSectionReader(src, 0, body.Size), Cond: cond,
		CRC32C: EncodeChecksum(body.CRC32C),
	}
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	full, err := s.key(key)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("head %s: %w", key, err)
	}
	var info objstore.Info
	err = s.try(ctx, operation{name: "head", key: key}, func(ctx context.Context) (err error) {
		info, err = s.client.Head(ctx, full)
		return err
	})
	if err != nil {
		return objstore.Info{}, err
	}
	info.Key = key
	return info, nil
}

// List implements objstore.Store.
func (s *Store) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	if after != "" {
		after = s.prefix + after
	}
	var page objstore.Page
	op := operation{name: "list", key: prefix}
	err := s.try(ctx, op, func(ctx context.Context) (err error) {
		page, err = s.client.List(ctx, s.prefix+prefix, after, objstore.ListLimit(limit))
		return err
	})
	if err != nil {
		return objstore.Page{}, err
	}
	for i := range page.Objects {
		o := &page.Objects[i]
		o.Key = strings.TrimPrefix(o.Key, s.prefix)
	}
	return page, nil
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	full, err := s.key(key)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	err = s.try(ctx, operation{name: "delete", key: key}, func(ctx context.Context) error {
		err := s.client.Delete(ctx, full)
		if err != nil {
			if f := s.client.Explain(err); f.Status == 404 && f.Code != "NoSuchBucket" {
				return nil
			}
		}
		return err
	})
	return err
}

// URL implements objstore.Store.
func (s *Store) URL() string { return s.url }

// Close implements objstore.Store.
func (s *Store) Close() error { return s.client.Close() }

func (s *Store) key(key string) (string, error) {
	if err := objstore.CheckKey(key); err != nil {
		return "", err
	}
	if len(s.prefix)+len(key) > objstore.KeyBytesMax {
		return "", fmt.Errorf("%w: with the store's prefix it has more than %d bytes",
			objstore.ErrInvalidKey, objstore.KeyBytesMax)
	}
	return s.prefix + key, nil
}
