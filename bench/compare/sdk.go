package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// How the SDK alone reads: so many ranges of this size at a time.
const (
	sdkParallel   = 8
	sdkRangeBytes = 8 << 20
)

// sdkAlone reads every segment in the bucket by ranged GETs and drops the bytes.
func sdkAlone(ctx context.Context) (int64, error) {
	client, bucket, err := sdkClient(ctx)
	if err != nil {
		return 0, err
	}
	var read atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sdkParallel)
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: &bucket, Prefix: aws.String("segments/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("list segments: %w", err)
		}
		for _, object := range page.Contents {
			for at := int64(0); at < *object.Size; at += sdkRangeBytes {
				end := min(at+sdkRangeBytes, *object.Size) - 1
				group.Go(func() error {
					n, err := getRange(ctx, client, &s3.GetObjectInput{
						Bucket: &bucket, Key: object.Key,
						Range: aws.String(fmt.Sprintf("bytes=%d-%d", at, end)),
					})
					read.Add(n)
					return err
				})
			}
		}
	}
	err = group.Wait()
	return read.Load(), err
}

func getRange(ctx context.Context, client *s3.Client, in *s3.GetObjectInput) (int64, error) {
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return 0, err
	}
	defer func() { _ = out.Body.Close() }()
	return io.Copy(io.Discard, out.Body)
}

// sdkClient takes endpoint and bucket from the store's URL, as localstack/up printed it.
func sdkClient(ctx context.Context) (*s3.Client, string, error) {
	u, err := url.Parse(os.Getenv("VARVE_STORE_S3"))
	if err != nil {
		return nil, "", err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, "", err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.BaseEndpoint = aws.String(u.Query().Get("endpoint"))
		o.UsePathStyle = true
		// Ranges carry no checksum to validate.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return client, strings.TrimSuffix(u.Host, "/"), nil
}
