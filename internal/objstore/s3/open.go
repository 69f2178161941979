package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/remote"
)

// regionAnywhere is what stores other than AWS take for a region.
const regionAnywhere = "us-east-1"

// Target says which bucket, where.
type Target struct {
	URL       string // as the user wrote it, for errors and logs
	Bucket    string
	Prefix    string
	Region    string   // empty: by the SDK's chain
	Endpoint  *url.URL // nil: AWS
	PathStyle bool     // the bucket in the path, not in the host name
}

// Open opens a bucket and asks once whether it is there.
func Open(ctx context.Context, t Target, cfg remote.Config) (objstore.Store, error) {
	c, err := newClient(ctx, t, remote.NewTransport(cfg))
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

func newClient(ctx context.Context, t Target, transport *http.Transport) (*client, error) {
	loaded, err := config.LoadDefaultConfig(ctx,
		config.WithLogger(logging.Nop{}), // what matters comes back as an error
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	)
	if err != nil {
		return nil, fmt.Errorf("store %s: read the AWS configuration: %w; check ~/.aws and the AWS_* "+
			"environment", t.URL, err)
	}
	if t.Region != "" {
		loaded.Region = t.Region
	}
	if loaded.Region == "" && t.Endpoint != nil {
		loaded.Region = regionAnywhere
	}
	if loaded.Region == "" {
		return nil, fmt.Errorf("store %s: no region; add ?region=REGION to the URL or set AWS_REGION",
			t.URL)
	}
	if _, err := loaded.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("store %s: %w: no credentials (%w); set AWS_ACCESS_KEY_ID and "+
			"AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them",
			t.URL, objstore.ErrDenied, err)
	}
	if built, ok := loaded.HTTPClient.(*awshttp.BuildableClient); ok {
		transport.TLSClientConfig = built.GetTransport().TLSClientConfig // AWS_CA_BUNDLE
	}
	plain := true
	sdk := awss3.NewFromConfig(loaded, func(o *awss3.Options) {
		o.HTTPClient = &http.Client{Transport: transport}
		o.UsePathStyle = t.PathStyle
		o.DisableLogOutputChecksumValidationSkipped = true
		if t.Endpoint != nil {
			o.BaseEndpoint = aws.String(t.Endpoint.String())
			plain = remote.PlainPayload(t.Endpoint)
		}
	})
	return &client{sdk: sdk, bucket: t.Bucket, plain: plain, transport: transport}, nil
}
