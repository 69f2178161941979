package open_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/open"
	"github.com/varve-log/varve/internal/objstore/remote"
)

var (
	always   = objstore.Condition{}
	create   = objstore.Condition{IfAbsent: true}
	swap     = objstore.Condition{IfMatch: "0123"}
	ok       = answer(http.StatusOK, "")
	slowDown = answer(http.StatusServiceUnavailable, "SlowDown")
	conflict = answer(http.StatusConflict, "ConditionalRequestConflict")
)

// TestOutcomesOfPut is the table of the package comment of remote: what a Put may tell after what
// happened, and how many requests it may have made for it.
func TestOutcomesOfPut(t *testing.T) {
	tests := []struct {
		name     string
		steps    []http.HandlerFunc
		cond     objstore.Condition
		want     error // nil: success
		requests int
	}{
		{"ok", []http.HandlerFunc{ok}, create, nil, 1},
		{"412", []http.HandlerFunc{answer(412, "PreconditionFailed")}, swap, objstore.ErrConflict, 1},
		{"absent", []http.HandlerFunc{answer(404, "NoSuchKey")}, swap, objstore.ErrConflict, 1},
		{"no bucket", []http.HandlerFunc{answer(404, "NoSuchBucket")}, swap, objstore.ErrNotFound, 1},
		{"409 then ok", []http.HandlerFunc{conflict, ok}, swap, nil, 2},
		{"409 then 412", []http.HandlerFunc{conflict, answer(412, "")}, swap, objstore.ErrConflict, 2},
		{"409 always", []http.HandlerFunc{conflict}, swap, objstore.ErrUnavailable, 3},
		{"429 then ok", []http.HandlerFunc{answer(429, ""), ok}, create, nil, 2},
		{"503 conditional", []http.HandlerFunc{slowDown, ok}, create, objstore.ErrUnknownOutcome, 1},
		{"500 conditional", []http.HandlerFunc{answer(500, ""), ok}, swap, objstore.ErrUnknownOutcome, 1},
		{"504 conditional", []http.HandlerFunc{answer(504, ""), ok}, swap, objstore.ErrUnknownOutcome, 1},
		{"reset conditional", []http.HandlerFunc{reset, ok}, swap, objstore.ErrUnknownOutcome, 1},
		{"silent conditional", []http.HandlerFunc{silent, ok}, create, objstore.ErrUnknownOutcome, 1},
		{"503 then ok", []http.HandlerFunc{slowDown, ok}, always, nil, 2},
		{"503 always", []http.HandlerFunc{slowDown}, always, objstore.ErrUnavailable, 3},
		{"reset then ok", []http.HandlerFunc{reset, ok}, always, nil, 2},
		{"silent then ok", []http.HandlerFunc{silent, ok}, always, nil, 2},
		{"403", []http.HandlerFunc{answer(403, "AccessDenied")}, create, objstore.ErrDenied, 1},
		{"bad digest", []http.HandlerFunc{answer(400, "BadDigest")}, create, objstore.ErrChecksum, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := fastConfig()
			// one script serves both SDKs, so each begins with a fresh copy of it
			server := script(t, ok)
			through(t, addrOf(server), cfg, func(t *testing.T, s objstore.Store) {
				server.steps, server.seen = tt.steps, nil
				_, err := s.Put(t.Context(), "k", objstore.Bytes([]byte("body")), tt.cond)
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				onlyClass(t, err, tt.want)
				if got := server.requests(); got != tt.requests {
					t.Errorf("made %d requests, want %d", got, tt.requests)
				}
			})
		})
	}
}

// onlyClass: the classes exclude each other, so that callers may ask in any order.
func onlyClass(t *testing.T, err, want error) {
	t.Helper()
	for _, class := range []error{
		objstore.ErrConflict, objstore.ErrUnknownOutcome, objstore.ErrUnavailable, objstore.ErrNotFound,
	} {
		if class != want && errors.Is(err, class) {
			t.Errorf("%v is also %v", err, class)
		}
	}
}

// TestRefusedConnectionIsSurelyNotWritten: nobody listens any more, so nothing was sent.
func TestRefusedConnectionIsSurelyNotWritten(t *testing.T) {
	for _, sdk := range []string{"s3", "minio"} {
		server := script(t, ok)
		server.lastWords = true // no idle connection on which a request could still be sent
		throughOne(t, sdk, addrOf(server), fastConfig(), func(t *testing.T, s objstore.Store) {
			server.Close()
			_, err := s.Put(t.Context(), "k", objstore.Bytes(nil), create)
			if !errors.Is(err, objstore.ErrUnavailable) || errors.Is(err, objstore.ErrUnknownOutcome) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if err == nil || !strings.Contains(err.Error(), "check that the store runs") {
				t.Errorf("%v tells no next step", err)
			}
		})
	}
}

// TestCancelledAfterSending: the caller gave up, the store may not have.
func TestCancelledAfterSending(t *testing.T) {
	server := script(t, silent)
	cfg := fastConfig()
	cfg.StallTimeout = 10 * time.Second
	through(t, addrOf(server), cfg, func(t *testing.T, s objstore.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := s.Put(ctx, "k", objstore.Bytes(nil), swap)
		if !errors.Is(err, objstore.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrUnknownOutcome and the deadline", err)
		}
	})
}

// TestConditionsAndChecksumsAreSent looks at what a conditional Put puts on the wire.
func TestConditionsAndChecksumsAreSent(t *testing.T) {
	server := script(t, ok)
	through(t, addrOf(server), fastConfig(), func(t *testing.T, s objstore.Store) {
		server.seen = nil
		for _, cond := range []objstore.Condition{create, swap} {
			if _, err := s.Put(t.Context(), "k", objstore.Bytes([]byte("body")), cond); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []map[string]string{
			{"If-None-Match": "*", "If-Match": ""}, {"If-None-Match": "", "If-Match": `"0123"`},
		} {
			h := server.seen[i].Header
			want["X-Amz-Checksum-Crc32c"] = remote.EncodeChecksum(objstore.Checksum([]byte("body")))
			want["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
			want["Content-Encoding"] = ""
			for name, value := range want {
				if h.Get(name) != value {
					t.Errorf("request %d: %s is %q, want %q", i, name, h.Get(name), value)
				}
			}
		}
	})
}

// brokenRanges serves ranges of data honestly but cuts each body after some bytes.
func brokenRanges(data []byte, cut int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begin, end := 0, len(data)
		w.Header().Set("ETag", `"etag"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		status := http.StatusOK
		if span, ranged := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ranged {
			first, last, _ := strings.Cut(span, "-")
			begin, _ = strconv.Atoi(first)
			end, _ = strconv.Atoi(last)
			end++
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, end-1, len(data)))
			status = http.StatusPartialContent
		}
		w.Header().Set("Content-Length", strconv.Itoa(end-begin))
		w.WriteHeader(status)
		body := data[begin:end]
		if len(body) <= cut {
			_, _ = w.Write(body)
			return
		}
		_, _ = w.Write(body[:cut])
		panic(http.ErrAbortHandler)
	}
}

func TestBrokenBodiesAreResumed(t *testing.T) {
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7 / 3)
	}
	for _, tt := range []struct {
		name       string
		cut        int
		whole      bool
		requests   int
		wantFailed bool
	}{
		{"never", 100_000, true, 1, false},
		{"twice", 40_000, true, 3, false},
		{"in a range", 40_000, false, 2, false},
		{"too often", 10_000, true, 4, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := script(t, brokenRanges(data, tt.cut))
			through(t, addrOf(server), fastConfig(), func(t *testing.T, s objstore.Store) {
				server.seen = nil
				r, want := objstore.Range{}, data
				if !tt.whole {
					r, want = objstore.Range{Offset: 500, Length: 60_000}, data[500:60_500]
				}
				rc, info, err := s.Get(t.Context(), "k", r)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = rc.Close() }()
				got, err := io.ReadAll(rc)
				if tt.wantFailed {
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
					}
				} else if err != nil || !bytes.Equal(got, want) || info.Size != int64(len(data)) {
					t.Errorf("read %d bytes of %d, %v, want %d", len(got), info.Size, err, len(want))
				}
				if n := server.requests(); n != tt.requests {
					t.Errorf("made %d requests, want %d", n, tt.requests)
				}
			})
		})
	}
}

func TestIgnoredRangeIsAnError(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"etag"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write(make([]byte, 1000))
	})
	through(t, addrOf(server), fastConfig(), func(t *testing.T, s objstore.Store) {
		_, _, err := s.Get(t.Context(), "k", objstore.Range{Offset: 10, Length: 10})
		if err == nil || !strings.Contains(err.Error(), "ignored the range") {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	dead := deadAddr(t)
	tests := []struct {
		url  string
		says []string
	}{
		{"", []string{"unknown scheme", "s3://bucket"}},
		{"gs://bucket", []string{`unknown scheme "gs"`, "minio://host:port/bucket"}},
		{"/var/lib/x", []string{"unknown scheme", "file:///dir"}},
		{"file://dir/x", []string{"absolute path"}},
		{"file:///tmp/x?y=1", []string{`unknown parameter "y"`, "takes none"}},
		{"s3://", []string{"names no bucket"}},
		{"s3://b", []string{"no region", "?region="}},
		{"s3://b?regoin=x", []string{`unknown parameter "regoin"`, "region, endpoint, path_style"}},
		{"s3://b?region=a&region=b", []string{"given twice"}},
		{"s3://b?path_style=maybe", []string{"must be true or false"}},
		{"s3://b?endpoint=127.0.0.1:9000", []string{"endpoint"}},
		{"s3://b?endpoint=http://me:secret@h", []string{"credentials", "AWS_ACCESS_KEY_ID"}},
		{"s3://me:secret@b", []string{"credentials", "AWS_ACCESS_KEY_ID"}},
		{"s3://b\x7f", []string{"cannot be parsed"}},
		{"minio://host:9000", []string{"needs a host and a bucket"}},
		{"minio://me:secret@host/b", []string{"credentials"}},
		{"minio://" + dead + "/b?tls=x", []string{"must be true or false"}},
		{"minio://" + dead + "/b", []string{dead, "check that the store runs"}},
		{"s3://b?endpoint=http://" + dead, []string{dead, "check that the store runs"}},
	}
	for _, tt := range tests {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		_, err := open.Open(ctx, tt.url, open.Options{})
		cancel()
		if err == nil {
			t.Errorf("%s opened", tt.url)
			continue
		}
		for _, part := range tt.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", tt.url, err, part)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error gives the secret away: %v", tt.url, err)
		}
	}
}

func TestMissingBucket(t *testing.T) {
	server := script(t, ok)
	server.Config.Handler = http.HandlerFunc(answer(http.StatusNotFound, "NoSuchBucket"))
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	addr := addrOf(server)
	for _, url := range []string{
		"s3://bucket?region=us-east-1&endpoint=http://" + addr,
		"minio://" + addr + "/bucket?region=us-east-1",
	} {
		_, err := open.Open(t.Context(), url, open.Options{})
		if !errors.Is(err, objstore.ErrNotFound) || !strings.Contains(err.Error(), "create it first") {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

func TestFileAndMemURLs(t *testing.T) {
	for _, url := range []string{"file://" + t.TempDir(), "mem://" + t.Name()} {
		s, err := open.Open(t.Context(), url, open.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := objstore.Probe(t.Context(), s); err != nil {
			t.Error(err)
		}
		if s.URL() != url {
			t.Errorf("URL is %s, want %s", s.URL(), url)
		}
	}
}
