package open

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/file"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/objstore/minio"
	"github.com/varve-log/varve/internal/objstore/remote"
	"github.com/varve-log/varve/internal/objstore/s3"
)

// Options tune a store beyond what its URL says. The zero value is right for everyone but tests.
type Options struct {
	// MultipartBytes is the object size from which uploads go in parts; 0 means 1 GiB. S3 takes at
	// most 5 GiB in one PUT.
	MultipartBytes int64
	// PartBytes is the size of a part, 5 MiB at least for real S3; 0 means 64 MiB. Larger objects get
	// larger parts so that there are never more than 10,000.
	PartBytes int64
	// ConnsMax bounds the connections to the store; 0 means 256.
	ConnsMax int
}

// Open opens the store at a URL; see the package comment for their forms.
func Open(ctx context.Context, rawURL string, o Options) (objstore.Store, error) {
	u, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "mem":
		return openMem(u)
	case "file":
		return openFile(u)
	case "s3":
		return openS3(ctx, u, o)
	case "minio":
		return openMinio(ctx, u, o)
	default:
		return nil, bad(rawURL, fmt.Sprintf("unknown scheme %q", u.Scheme))
	}
}

func openMem(u *url.URL) (objstore.Store, error) {
	if _, err := params(u); err != nil {
		return nil, err
	}
	return mem.Named(strings.Trim(u.Host+u.Path, "/")), nil
}

func openFile(u *url.URL) (objstore.Store, error) {
	if _, err := params(u); err != nil {
		return nil, err
	}
	if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
		return nil, bad(u.String(), "a file store needs an absolute path after three slashes")
	}
	return file.Open(filepath.FromSlash(u.Path))
}

func openS3(ctx context.Context, u *url.URL, o Options) (objstore.Store, error) {
	p, err := params(u, "region", "endpoint", "path_style")
	if err != nil {
		return nil, err
	}
	t := s3.Target{
		URL: u.String(), Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Region: p["region"],
	}
	if t.Bucket == "" {
		return nil, bad(t.URL, "it names no bucket")
	}
	if p["endpoint"] != "" {
		if t.Endpoint, err = parseEndpoint(p["endpoint"]); err != nil {
			return nil, bad(t.URL, err.Error())
		}
	}
	if t.PathStyle, err = boolean(p, "path_style", t.Endpoint != nil); err != nil {
		return nil, bad(t.URL, err.Error())
	}
	return s3.Open(ctx, t, o.remote())
}

func openMinio(ctx context.Context, u *url.URL, o Options) (objstore.Store, error) {
	p, err := params(u, "tls", "region")
	if err != nil {
		return nil, err
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	t := minio.Target{
		URL: u.String(), Host: u.Host, Bucket: bucket, Prefix: prefix, Region: p["region"],
	}
	if t.Host == "" || t.Bucket == "" {
		return nil, bad(t.URL, "it needs a host and a bucket")
	}
	if t.TLS, err = boolean(p, "tls", false); err != nil {
		return nil, bad(t.URL, err.Error())
	}
	return minio.Open(ctx, t, o.remote())
}

func parseEndpoint(raw string) (*url.URL, error) {
	e, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its endpoint cannot be parsed: %w", errCause(err))
	case e.Scheme != "http" && e.Scheme != "https" || e.Host == "":
		return nil, fmt.Errorf("its endpoint %q is not of the form https://HOST:PORT", raw)
	}
	return e, nil
}

func boolean(p map[string]string, name string, otherwise bool) (bool, error) {
	v, given := p[name]
	if !given {
		return otherwise, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("parameter %s is %q, must be true or false", name, v)
	}
	return b, nil
}

// remote fills the defaults in.
func (o Options) remote() remote.Config {
	cfg := remote.DefaultConfig()
	if o.MultipartBytes != 0 {
		cfg.MultipartBytes = o.MultipartBytes
	}
	if o.PartBytes != 0 {
		cfg.PartBytes = o.PartBytes
	}
	if o.ConnsMax != 0 {
		cfg.ConnsMax = o.ConnsMax
	}
	return cfg
}

func parse(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("store URL cannot be parsed: %w; %s", errCause(err), forms)
	}
	if e, err := url.Parse(u.Query().Get("endpoint")); err == nil && e.User != nil {
		return nil, errors.New("the endpoint in the store URL carries credentials: set " +
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment instead")
	}
	if u.User != nil {
		return nil, fmt.Errorf("store URL %s carries credentials: URLs end up in logs and process "+
			"lists; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or use a "+
			"shared credentials file", u.Redacted())
	}
	return u, nil
}

const forms = "expected file:///dir, s3://bucket/prefix?region=R&endpoint=URL, " +
	"minio://host:port/bucket/prefix?tls=true or mem://name"

func bad(rawURL, cause string) error {
	return fmt.Errorf("store URL %s: %s; %s", rawURL, cause, forms)
}

// errCause leaves the URL itself, which may hold credentials, out of a parse error.
func errCause(err error) error {
	if ue, ok := err.(*url.Error); ok {
		return ue.Err
	}
	return err
}

// params gives the URL's parameters, refusing unknown and repeated ones.
func params(u *url.URL, known ...string) (map[string]string, error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, bad(u.String(), "its parameters cannot be parsed: "+err.Error())
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	got := map[string]string{}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, bad(u.String(), unknownParam(name, known))
		}
		if len(values[name]) > 1 {
			return nil, bad(u.String(), fmt.Sprintf("parameter %q is given twice", name))
		}
		got[name] = values.Get(name)
	}
	return got, nil
}

func unknownParam(name string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("unknown parameter %q (this scheme takes none)", name)
	}
	return fmt.Sprintf("unknown parameter %q (known: %s)", name, strings.Join(known, ", "))
}
