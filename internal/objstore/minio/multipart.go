package minio

import (
	"context"
	"net/http"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/remote"
)

const fullObject = "FULL_OBJECT"

// CreateUpload implements remote.Client. Stores reject part checksums that were not announced here.
func (c *client) CreateUpload(ctx context.Context, key string) (string, error) {
	opts := c.putOptions(objstore.Condition{})
	opts.UserMetadata = map[string]string{
		checksumAlgorithmHeader: "CRC32C", checksumTypeHeader: fullObject,
	}
	return c.sdk.NewMultipartUpload(ctx, c.bucket, key, opts)
}

// UploadPart implements remote.Client.
func (c *client) UploadPart(
	ctx context.Context, uploadID string, number int32, u remote.Upload,
) (remote.Part, error) {
	opts := miniogo.PutObjectPartOptions{
		DisableContentSha256: c.plain, CustomHeader: http.Header{},
	}
	opts.CustomHeader.Set(checksumHeader, u.CRC32C)
	out, err := c.sdk.PutObjectPart(
		ctx, c.bucket, u.Key, uploadID, int(number), u.Body, u.Body.Size(), opts,
	)
	if err != nil {
		return remote.Part{}, err
	}
	return remote.Part{Number: number, ETag: remote.BareETag(out.ETag), CRC32C: u.CRC32C}, nil
}

// CompleteUpload implements remote.Client.
func (c *client) CompleteUpload(
	ctx context.Context, uploadID string, parts []remote.Part, u remote.Upload,
) (objstore.Info, error) {
	done := make([]miniogo.CompletePart, len(parts))
	for i, p := range parts {
		done[i] = miniogo.CompletePart{
			PartNumber: int(p.Number), ETag: p.ETag, ChecksumCRC32C: p.CRC32C,
		}
	}
	opts := c.putOptions(u.Cond)
	opts.UserMetadata = map[string]string{
		checksumHeader: u.CRC32C, checksumTypeHeader: fullObject,
	}
	out, err := c.sdk.CompleteMultipartUpload(ctx, c.bucket, u.Key, uploadID, done, opts)
	if err != nil {
		return objstore.Info{}, err
	}
	return objstore.Info{ETag: remote.BareETag(out.ETag)}, nil
}

// AbortUpload implements remote.Client.
func (c *client) AbortUpload(ctx context.Context, key, uploadID string) error {
	return c.sdk.AbortMultipartUpload(ctx, c.bucket, key, uploadID)
}
