package objstoretest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// Suite says how to test one kind of store.
type Suite struct {
	// Open gives an empty store; the suite closes it.
	Open func(t *testing.T) objstore.Store
	// Rounds of each race between writers; 0 means 20.
	Rounds int
	// NoChecksums: the store neither verifies a Put's CRC32C nor tells it again.
	NoChecksums bool
	// NoPartChecksums: what the store tells as the checksum of an object uploaded in parts is not the
	// checksum of its bytes.
	NoPartChecksums bool
	// MultipartBytes is the size from which the store uploads in parts; 0 means that it never does.
	MultipartBytes int64
}

// Run runs the suite with its defaults.
func Run(t *testing.T, open func(t *testing.T) objstore.Store) {
	t.Helper()
	Suite{Open: open}.Run(t)
}

// Run runs every test of the suite as a subtest.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, env)
	}{
		{"put get head", testPutGetHead},
		{"absent", testAbsent},
		{"overwrite and delete", testOverwriteAndDelete},
		{"ranges", testRanges},
		{"parallel ranges", testParallelRanges},
		{"create if absent", testIfAbsent},
		{"swap if match", testIfMatch},
		{"list order", testListOrder},
		{"list pages", testListPages},
		{"list after", testListAfter},
		{"checksum", testChecksum},
		{"short body", testShortBody},
		{"invalid keys", testInvalidKeys},
		{"cancelled", testCancelled},
		{"race to create", testRaceToCreate},
		{"race to swap", testRaceToSwap},
		{"multipart", testMultipart},
		{"probe and clock", testProbeAndClock},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			store := s.Open(t)
			defer func() {
				if err := store.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			tt.run(t, env{ctx: ctx, Store: store, suite: s})
		})
	}
}

// env is what one test works with.
type env struct {
	objstore.Store
	ctx   context.Context
	suite Suite
}

func (e env) put(t *testing.T, key string, data []byte) objstore.Info {
	t.Helper()
	info, err := e.Put(e.ctx, key, objstore.Bytes(data), objstore.Condition{})
	if err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
	return info
}

func (e env) read(t *testing.T, key string, r objstore.Range) []byte {
	t.Helper()
	rc, _, err := e.Get(e.ctx, key, r)
	if err != nil {
		t.Fatalf("Get(%s, %v): %v", key, r, err)
	}
	defer func() { _ = rc.Close() }()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatalf("read %s %v: %v", key, r, err)
	}
	return b
}

func (e env) wantContent(t *testing.T, key string, want []byte) {
	t.Helper()
	if got := e.read(t, key, objstore.Range{}); !bytes.Equal(got, want) {
		t.Fatalf("%s holds %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

// pattern makes n bytes that differ by position, so that a shifted read shows.
func pattern(n int64) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}
