package bucket

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/query/table"
)

// counted counts the GETs and the bytes they bring.
type counted struct {
	objstore.Store
	gets, bytes atomic.Int64
}

func (c *counted) Get(ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	c.gets.Add(1)
	body, info, err := c.Store.Get(ctx, key, r)
	if err != nil {
		return nil, info, err
	}
	return &countedBody{body, c}, info, nil
}

func (c *counted) traffic() table.Traffic {
	return table.Traffic{GETs: c.gets.Load(), GETBytes: c.bytes.Load()}
}

type countedBody struct {
	io.ReadCloser
	c *counted
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.bytes.Add(int64(n))
	return n, err
}
