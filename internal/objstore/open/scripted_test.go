package open_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/minio"
	"github.com/varve-log/varve/internal/objstore/remote"
	"github.com/varve-log/varve/internal/objstore/s3"
)

// scripted is an S3 server that answers each request by the next step of a script, the last one for
// ever. It answers the question for the bucket by itself.
type scripted struct {
	*httptest.Server
	mu    sync.Mutex
	steps []http.HandlerFunc
	seen  []*http.Request
	// lastWords: the answer to the question for the bucket closes its connection.
	lastWords bool
}

func script(t *testing.T, steps ...http.HandlerFunc) *scripted {
	t.Helper()
	s := &scripted{steps: steps}
	s.Server = httptest.NewServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Server.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(r.URL.Path, "/") == "bucket" && r.Method == http.MethodHead {
		if s.lastWords {
			w.Header().Set("Connection", "close")
		}
		return
	}
	s.mu.Lock()
	s.seen = append(s.seen, r)
	step := s.steps[0]
	if len(s.steps) > 1 {
		s.steps = s.steps[1:]
	}
	s.mu.Unlock()
	step(w, r)
}

func (s *scripted) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// answer reads the request and answers with a status and, for failures, an S3 error code.
func answer(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"etag"`)
		if status >= 300 {
			w.Header().Set("Content-Type", "application/xml")
		}
		w.WriteHeader(status)
		if code != "" && r.Method != http.MethodHead {
			_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code></Error>", code)
		}
	}
}

// reset breaks the connection instead of answering.
func reset(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// through opens a store on a server by each SDK.
func through(t *testing.T, addr string, cfg remote.Config, run func(*testing.T, objstore.Store)) {
	t.Helper()
	for _, sdk := range []string{"s3", "minio"} {
		throughOne(t, sdk, addr, cfg, run)
	}
}

func throughOne(
	t *testing.T, sdk, addr string, cfg remote.Config, run func(*testing.T, objstore.Store),
) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	opens := map[string]func(context.Context) (objstore.Store, error){
		"s3": func(ctx context.Context) (objstore.Store, error) {
			return s3.Open(ctx, s3.Target{
				URL: "s3://bucket", Bucket: "bucket", Region: "us-east-1", PathStyle: true,
				Endpoint: &url.URL{Scheme: "http", Host: addr},
			}, cfg)
		},
		"minio": func(ctx context.Context) (objstore.Store, error) {
			return minio.Open(ctx, minio.Target{
				URL: "minio://bucket", Host: addr, Bucket: "bucket", Region: "us-east-1",
			}, cfg)
		},
	}
	t.Run(sdk, func(t *testing.T) {
		s, err := opens[sdk](t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		run(t, s)
	})
}

func fastConfig() remote.Config {
	cfg := remote.DefaultConfig()
	cfg.AttemptsMax, cfg.BackoffMin, cfg.BackoffMax = 3, time.Millisecond, 2*time.Millisecond
	cfg.StallTimeout = 300 * time.Millisecond
	return cfg
}

func addrOf(s *scripted) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		panic(err)
	}
	return u.Host
}

// deadAddr is an address where nobody listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
