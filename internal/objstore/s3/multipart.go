package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/remote"
)

// CreateUpload implements remote.Client. Stores reject part checksums that were not announced here.
func (c *client) CreateUpload(ctx context.Context, key string) (string, error) {
	out, err := c.sdk.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
		Bucket: &c.bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		ChecksumType: types.ChecksumTypeFullObject,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.UploadId), nil
}

// UploadPart implements remote.Client.
func (c *client) UploadPart(
	ctx context.Context, uploadID string, number int32, u remote.Upload,
) (remote.Part, error) {
	out, err := c.sdk.UploadPart(ctx, &awss3.UploadPartInput{
		Bucket: &c.bucket, Key: &u.Key, UploadId: &uploadID, PartNumber: &number,
		Body: u.Body, ContentLength: aws.Int64(u.Body.Size()), ChecksumCRC32C: &u.CRC32C,
	}, c.payload)
	if err != nil {
		return remote.Part{}, err
	}
	return remote.Part{
		Number: number, ETag: remote.BareETag(aws.ToString(out.ETag)), CRC32C: u.CRC32C,
	}, nil
}

// CompleteUpload implements remote.Client.
func (c *client) CompleteUpload(
	ctx context.Context, uploadID string, parts []remote.Part, u remote.Upload,
) (objstore.Info, error) {
	done := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		done[i] = types.CompletedPart{
			PartNumber: &p.Number, ETag: aws.String(remote.QuotedETag(p.ETag)),
			ChecksumCRC32C: &p.CRC32C,
		}
	}
	in := &awss3.CompleteMultipartUploadInput{
		Bucket: &c.bucket, Key: &u.Key, UploadId: &uploadID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
		ChecksumCRC32C:  &u.CRC32C, ChecksumType: types.ChecksumTypeFullObject,
	}
	in.IfMatch, in.IfNoneMatch = conditions(u.Cond)
	out, err := c.sdk.CompleteMultipartUpload(ctx, in)
	if err != nil {
		return objstore.Info{}, err
	}
	return objstore.Info{ETag: remote.BareETag(aws.ToString(out.ETag))}, nil
}

// AbortUpload implements remote.Client.
func (c *client) AbortUpload(ctx context.Context, key, uploadID string) error {
	_, err := c.sdk.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{
		Bucket: &c.bucket, Key: &key, UploadId: &uploadID,
	})
	return err
}
