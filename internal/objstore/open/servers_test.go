package open_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	accessKey = "varve-test"
	secretKey = "varve-test-secret"
	bucket    = "varve-conformance"

	logBytesMax = 4 << 10
)

// server is an S3 server to test against, run as a process of its own.
type server struct {
	name string
	// env names the variable that tells where its program is; else it is looked for in PATH and in
	// bin/ at the repository's top.
	env, program string
	args         func(addr, dir string) []string
	environ      []string
	// ignoresConditions: the probe must refuse it.
	ignoresConditions bool
	noChecksums       bool
	noPartChecksums   bool // tells the checksum of checksums as the whole object's
}

var servers = []server{
	{
		name: "minio", env: "VARVE_TEST_MINIO", program: "minio",
		args: func(addr, dir string) []string {
			return []string{"server", "--address", addr, "--quiet", dir}
		},
		environ: []string{
			"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey,
			"MINIO_UPDATE=off", "MINIO_BROWSER=off",
		},
	},
	{
		name: "versitygw", env: "VARVE_TEST_VERSITYGW", program: "versitygw",
		args: func(addr, dir string) []string {
			return []string{"--quiet", "--port", addr, "posix", dir}
		},
		environ: []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
	},
	{
		name: "moto", env: "VARVE_TEST_MOTO", program: "moto_server",
		noChecksums: true, noPartChecksums: true,
		args: func(addr, _ string) []string {
			host, port, _ := net.SplitHostPort(addr)
			return []string{"-H", host, "-p", port}
		},
	},
	{
		name: "s3rver", env: "VARVE_TEST_S3RVER", program: "s3rver", ignoresConditions: true,
		noChecksums: true,
		args: func(addr, dir string) []string {
			host, port, _ := net.SplitHostPort(addr)
			return []string{"-a", host, "-p", port, "-s", "-d", dir}
		},
	},
}

// find gives the server's program, and whether it was asked for: by its variable, or by being in
// bin/. One that just happens to be in PATH may turn out not to run.
func (s server) find() (path string, asked bool) {
	if path := os.Getenv(s.env); path != "" {
		return path, true
	}
	for _, dir := range []string{"bin", "bin/s3/bin", "bin/s3/node_modules/.bin"} {
		path, err := filepath.Abs(filepath.Join("../../..", dir, s.program))
		if _, serr := os.Stat(path); err == nil && serr == nil {
			return path, true
		}
	}
	path, err := exec.LookPath(s.program)
	if err != nil {
		return "", false
	}
	return path, false
}

// required: without MinIO, `make test-s3` fails.
func (s server) required() bool {
	return os.Getenv("VARVE_REQUIRE_S3") != "" && s.name == "minio"
}

// start runs the server until the test ends and gives its address. Without its program the test is
// skipped, or failed if it is required.
func (s server) start(t testing.TB) (addr string) {
	t.Helper()
	program, asked := s.find()
	switch {
	case program == "" && s.required():
		t.Fatalf("%s not found: run localstack/install %[1]s or set %s", s.name, s.env)
	case program == "":
		t.Skipf("%s not found: run localstack/install %[1]s or set %s", s.name, s.env)
	case testing.Short():
		t.Skip("real servers are not started in short tests")
	}
	addr = freeAddr(t)
	dir := t.TempDir()
	logs := &logBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, s.args(addr, dir)...)
	cmd.Env = append(os.Environ(), s.environ...)
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cancel()
		<-exited
		if t.Failed() {
			t.Logf("%s said:\n%s", s.name, logs)
		}
	})
	s.makeBucket(t, addr, asked, exited)
	return addr
}

// makeBucket waits until the server answers, by making the bucket of the tests.
func (s server) makeBucket(t testing.TB, addr string, asked bool, exited <-chan struct{}) {
	t.Helper()
	user, secret := s.keys()
	c, err := miniogo.New(addr, &miniogo.Options{
		Creds: credentials.NewStaticV4(user, secret, ""), Region: "us-east-1", MaxRetries: 1,
		Transport: &http.Transport{DisableKeepAlives: true}, BucketLookup: miniogo.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.MakeBucket(ctx, bucket, miniogo.MakeBucketOptions{})
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-exited:
			if !asked {
				t.Skipf("the %s in PATH does not run", s.program)
			}
			t.Fatalf("%s ended instead of answering", s.name)
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", s.name, err)
		}
	}
}

// keys are the credentials; s3rver has its own and no way to change them.
func (s server) keys() (user, secret string) {
	if s.name == "s3rver" {
		return "S3RVER", "S3RVER"
	}
	return accessKey, secretKey
}

// urls gives the store URLs of both SDKs for a fresh prefix.
func (s server) urls(addr, prefix string) map[string]string {
	return map[string]string{
		"s3":    fmt.Sprintf("s3://%s/%s?region=us-east-1&endpoint=http://%s", bucket, prefix, addr),
		"minio": fmt.Sprintf("minio://%s/%s/%s?region=us-east-1", addr, bucket, prefix),
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// logBuffer keeps the last of what a server says, for failures.
type logBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	if over := len(l.b) - logBytesMax; over > 0 {
		l.b = l.b[over:]
	}
	return len(p), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}
