package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/remote"
)

// client is the SDK on one bucket.
type client struct {
	sdk       *awss3.Client
	bucket    string
	plain     bool // leave the payload's hash out of the signature
	transport *http.Transport
}

var _ remote.Client = (*client)(nil)

// Put implements remote.Client.
func (c *client) Put(ctx context.Context, u remote.Upload) (objstore.Info, error) {
	in := &awss3.PutObjectInput{
		Bucket: &c.bucket, Key: &u.Key, Body: u.Body, ContentLength: aws.Int64(u.Body.Size()),
		ChecksumCRC32C: &u.CRC32C,
	}
	in.IfMatch, in.IfNoneMatch = conditions(u.Cond)
	out, err := c.sdk.PutObject(ctx, in, c.payload)
	if err != nil {
		return objstore.Info{}, err
	}
	return objstore.Info{ETag: remote.BareETag(aws.ToString(out.ETag))}, nil
}

// Get implements remote.Client.
func (c *client) Get(
	ctx context.Context, key, httpRange, ifMatch string,
) (remote.Download, error) {
	in := &awss3.GetObjectInput{Bucket: &c.bucket, Key: &key, Range: optional(httpRange)}
	if ifMatch != "" {
		in.IfMatch = aws.String(remote.QuotedETag(ifMatch))
	}
	if httpRange == "" {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := c.sdk.GetObject(ctx, in)
	if err != nil {
		return remote.Download{}, err
	}
	d := remote.Download{
		Body: out.Body, ContentRange: aws.ToString(out.ContentRange), ContentLength: -1,
		Info: objstore.Info{
			ETag:         remote.BareETag(aws.ToString(out.ETag)),
			LastModified: aws.ToTime(out.LastModified),
		},
	}
	d.Info.CRC32C, d.Info.HasCRC32C = remote.DecodeChecksum(aws.ToString(out.ChecksumCRC32C))
	if out.ContentLength != nil {
		d.ContentLength = *out.ContentLength
	}
	return d, nil
}

// Head implements remote.Client.
func (c *client) Head(ctx context.Context, key string) (objstore.Info, error) {
	out, err := c.sdk.HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket: &c.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return objstore.Info{}, err
	}
	info := objstore.Info{
		Size: aws.ToInt64(out.ContentLength), ETag: remote.BareETag(aws.ToString(out.ETag)),
		LastModified: aws.ToTime(out.LastModified),
	}
	info.CRC32C, info.HasCRC32C = remote.DecodeChecksum(aws.ToString(out.ChecksumCRC32C))
	return info, nil
}

// List implements remote.Client.
func (c *client) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	out, err := c.sdk.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{
		Bucket: &c.bucket, Prefix: optional(prefix), StartAfter: optional(after),
		MaxKeys: aws.Int32(int32(limit)),
	})
	if err != nil {
		return objstore.Page{}, err
	}
	page := objstore.Page{More: aws.ToBool(out.IsTruncated)}
	for _, o := range out.Contents {
		page.Objects = append(page.Objects, objstore.Info{
			Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size),
			ETag: remote.BareETag(aws.ToString(o.ETag)), LastModified: aws.ToTime(o.LastModified),
		})
	}
	return page, nil
}

// Delete implements remote.Client.
func (c *client) Delete(ctx context.Context, key string) error {
	_, err := c.sdk.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &c.bucket, Key: &key})
	return err
}

// Explain implements remote.Client.
func (c *client) Explain(err error) remote.Failure {
	var f remote.Failure
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		f.Status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code = api.ErrorCode()
	}
	return f
}

// Close implements remote.Client.
func (c *client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

func (c *client) headBucket(ctx context.Context) error {
	_, err := c.sdk.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &c.bucket})
	return err
}

// payload leaves the body's SHA-256 out of the signature where that is safe.
func (c *client) payload(o *awss3.Options) {
	if c.plain {
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
}

func conditions(cond objstore.Condition) (ifMatch, ifNoneMatch *string) {
	if cond.IfMatch != "" {
		ifMatch = aws.String(remote.QuotedETag(cond.IfMatch))
	}
	if cond.IfAbsent {
		ifNoneMatch = aws.String("*")
	}
	return ifMatch, ifNoneMatch
}

func optional(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return &s
}
