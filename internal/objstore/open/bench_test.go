package open_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/open"
)

const (
	benchObject = 1 << 30
	benchRange  = 8 << 20
	benchFlight = 8
)

// fetch reads one range into a buffer that it owns.
type fetch func(ctx context.Context, offset int64, into []byte) error

// BenchmarkRangedGet reads an object of 1 GiB from MinIO by parallel ranges of 8 MiB: through both
// stores, and by the AWS SDK alone, which is what they are measured against.
func BenchmarkRangedGet(b *testing.B) {
	addr, stores := benchStores(b)
	file := benchFile(b)
	body := objstore.Body{Reader: file, Size: benchObject}
	if _, err := stores["s3"].Put(b.Context(), "large", body, objstore.Condition{}); err != nil {
		b.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(b.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		b.Fatal(err)
	}
	bare := awss3.NewFromConfig(cfg, func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle = aws.String("http://"+addr), true
	})
	run := map[string]fetch{
		"bare": func(ctx context.Context, offset int64, into []byte) error {
			r := objstore.Range{Offset: offset, Length: int64(len(into))}
			out, err := bare.GetObject(ctx, &awss3.GetObjectInput{
				Bucket: aws.String(bucket), Key: aws.String("bench/large"), Range: aws.String(r.Header()),
			})
			if err != nil {
				return err
			}
			_, err = io.ReadFull(out.Body, into)
			return errors.Join(err, out.Body.Close())
		},
	}
	for name, s := range stores {
		run[name] = func(ctx context.Context, offset int64, into []byte) error {
			rc, _, err := s.Get(ctx, "large", objstore.Range{Offset: offset, Length: int64(len(into))})
			if err != nil {
				return err
			}
			_, err = io.ReadFull(rc, into)
			return errors.Join(err, rc.Close())
		}
	}
	for _, name := range []string{"bare", "s3", "minio"} {
		b.Run(name, func(b *testing.B) { readAllRanges(b, run[name]) })
	}
}

func readAllRanges(b *testing.B, get fetch) {
	buffers := make(chan []byte, benchFlight)
	for range benchFlight {
		buffers <- make([]byte, benchRange)
	}
	b.SetBytes(benchObject)
	for b.Loop() {
		var g errgroup.Group
		for offset := int64(0); offset < benchObject; offset += benchRange {
			buf := <-buffers
			g.Go(func() error {
				err := get(b.Context(), offset, buf)
				buffers <- buf
				return err
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPut uploads 256 MiB from a file, as a sealed segment is.
func BenchmarkPut(b *testing.B) {
	_, stores := benchStores(b)
	fs, err := open.Open(b.Context(), "file://"+b.TempDir(), open.Options{})
	if err != nil {
		b.Fatal(err)
	}
	stores["file"] = fs
	body := objstore.Body{Reader: benchFile(b), Size: 256 << 20}
	for _, name := range []string{"s3", "minio", "file"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(body.Size)
			for b.Loop() {
				_, err := stores[name].Put(b.Context(), "put", body, objstore.Condition{})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchStores(b *testing.B) (addr string, stores map[string]objstore.Store) {
	b.Helper()
	addr = servers[0].start(b)
	b.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	b.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	stores = map[string]objstore.Store{}
	for sdk, url := range servers[0].urls(addr, "bench") {
		s, err := open.Open(b.Context(), url, open.Options{MultipartBytes: 2 << 30})
		if err != nil {
			b.Fatal(err)
		}
		stores[sdk] = s
	}
	return addr, stores
}

func benchFile(b *testing.B) *os.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "body"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	block := make([]byte, benchRange)
	for i := range block {
		block[i] = byte(i * 31 / 7)
	}
	for written := 0; written < benchObject; written += len(block) {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	return f
}
