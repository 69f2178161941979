package minio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/remote"
)

// Target says which bucket, where.
type Target struct {
	URL    string // as the user wrote it, for errors and logs
	Host   string // host:port
	TLS    bool
	Bucket string
	Prefix string
	Region string // empty: the store is asked
}

// Open opens a bucket and asks once whether it is there.
func Open(ctx context.Context, t Target, cfg remote.Config) (objstore.Store, error) {
	transport := remote.NewTransport(cfg)
	c, err := newClient(t, transport)
	if err != nil {
		return nil, err
	}
	s, err := remote.New(c, t.URL, t.Prefix, cfg)
	if err != nil {
		return nil, err
	}
	if err := remote.CheckBucket(ctx, s, c.headBucket); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func newClient(t Target, transport *http.Transport) (*client, error) {
	creds := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.EnvMinio{},
		&credentials.FileAWSCredentials{}, &credentials.FileMinioClient{},
		&credentials.IAM{Client: &http.Client{Transport: transport}},
	})
	v, err := creds.GetWithContext(&credentials.CredContext{
		Client: &http.Client{Transport: transport},
	})
	if err == nil && v.AccessKeyID == "" {
		err = errors.New("nothing in the environment, the shared files or the machine's role")
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w: no credentials (%w); set AWS_ACCESS_KEY_ID and "+
			"AWS_SECRET_ACCESS_KEY, or MINIO_ACCESS_KEY and MINIO_SECRET_KEY",
			t.URL, objstore.ErrDenied, err)
	}
	core, err := miniogo.NewCore(t.Host, &miniogo.Options{
		Creds: creds, Secure: t.TLS, Transport: transport, Region: t.Region,
		BucketLookup: miniogo.BucketLookupAuto, MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", t.URL, err)
	}
	endpoint := &url.URL{Scheme: "http", Host: t.Host}
	if t.TLS {
		endpoint.Scheme = "https"
	}
	return &client{
		sdk: core, bucket: t.Bucket, plain: remote.PlainPayload(endpoint), transport: transport,
	}, nil
}
