package minio

import (
	"context"
	"errors"
	"net/http"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/remote"
)

const (
	checksumHeader          = "x-amz-checksum-crc32c"
	checksumAlgorithmHeader = "x-amz-checksum-algorithm"
	checksumTypeHeader      = "x-amz-checksum-type"
)

// client is the SDK on one bucket.
type client struct {
	sdk       *miniogo.Core
	bucket    string
	plain     bool // leave the payload's hash out of the signature
	transport *http.Transport
}

var _ remote.Client = (*client)(nil)

// Put implements remote.Client.
func (c *client) Put(ctx context.Context, u remote.Upload) (objstore.Info, error) {
	opts := c.putOptions(u.Cond)
	opts.UserMetadata = map[string]string{checksumHeader: u.CRC32C}
	out, err := c.sdk.PutObject(ctx, c.bucket, u.Key, u.Body, u.Body.Size(), "", "", opts)
	if err != nil {
		return objstore.Info{}, err
	}
	return objstore.Info{ETag: remote.BareETag(out.ETag)}, nil
}

func (c *client) putOptions(cond objstore.Condition) miniogo.PutObjectOptions {
	opts := miniogo.PutObjectOptions{DisableContentSha256: c.plain, DisableMultipart: true}
	if cond.IfMatch != "" {
		opts.SetMatchETag(cond.IfMatch)
	}
	if cond.IfAbsent {
		opts.SetMatchETagExcept("*")
	}
	return opts
}

// Get implements remote.Client.
func (c *client) Get(
	ctx context.Context, key, httpRange, ifMatch string,
) (remote.Download, error) {
	opts := miniogo.GetObjectOptions{Checksum: httpRange == ""}
	if httpRange != "" {
		opts.Set("Range", httpRange)
	}
	if ifMatch != "" {
		opts.Set("If-Match", remote.QuotedETag(ifMatch))
	}
	body, info, header, err := c.sdk.GetObject(ctx, c.bucket, key, opts)
	if err != nil {
		return remote.Download{}, err
	}
	return remote.Download{
		Body: body, Info: describe(info), ContentRange: header.Get("Content-Range"),
		ContentLength: info.Size,
	}, nil
}

// Head implements remote.Client.
func (c *client) Head(ctx context.Context, key string) (objstore.Info, error) {
	info, err := c.sdk.StatObject(ctx, c.bucket, key, miniogo.StatObjectOptions{Checksum: true})
	if err != nil {
		return objstore.Info{}, err
	}
	return describe(info), nil
}

// List implements remote.Client. The SDK's iterator does not tell whether more follows the page it
// asked for, so one key more than is given tells it.
func (c *client) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	ask := min(limit+1, objstore.ListLimitMax)
	var page objstore.Page
	for o := range c.sdk.ListObjectsIter(ctx, c.bucket, miniogo.ListObjectsOptions{
		Prefix: prefix, StartAfter: after, MaxKeys: ask, Recursive: true,
	}) {
		if o.Err != nil {
			return objstore.Page{}, o.Err
		}
		if len(page.Objects) == ask-1 {
			page.More = true
			break
		}
		page.Objects = append(page.Objects, describe(o))
	}
	if err := ctx.Err(); err != nil {
		return objstore.Page{}, err // the iterator just ends
	}
	return page, nil
}

// Delete implements remote.Client.
func (c *client) Delete(ctx context.Context, key string) error {
	return c.sdk.RemoveObject(ctx, c.bucket, key, miniogo.RemoveObjectOptions{})
}

// Explain implements remote.Client.
func (c *client) Explain(err error) remote.Failure {
	var response miniogo.ErrorResponse
	if !errors.As(err, &response) {
		return remote.Failure{}
	}
	return remote.Failure{Status: response.StatusCode, Code: response.Code}
}

// Close implements remote.Client.
func (c *client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

func (c *client) headBucket(ctx context.Context) error {
	exists, err := c.sdk.BucketExists(ctx, c.bucket)
	if err == nil && !exists {
		err = miniogo.ErrorResponse{
			StatusCode: http.StatusNotFound, Code: "NoSuchBucket", Message: "no such bucket",
		}
	}
	return err
}

func describe(o miniogo.ObjectInfo) objstore.Info {
	info := objstore.Info{
		Key: o.Key, Size: o.Size, ETag: remote.BareETag(o.ETag), LastModified: o.LastModified,
	}
	info.CRC32C, info.HasCRC32C = remote.DecodeChecksum(o.ChecksumCRC32C)
	return info
}
