package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// fake is a client whose multipart upload is kept in memory; the other methods are not called here.
type fake struct {
	Client
	mu     sync.Mutex
	calls  []string
	parts  map[int32][]byte
	object []byte
	fail   map[string][]error // by call, one for each time
}

type answered Failure

func (a answered) Error() string { return fmt.Sprintf("answered %d %s", a.Status, a.Code) }

func (f *fake) Explain(err error) Failure {
	var a answered
	_ = errors.As(err, &a)
	return Failure(a)
}

func (f *fake) call(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
	if len(f.fail[name]) == 0 {
		return nil
	}
	err := f.fail[name][0]
	f.fail[name] = f.fail[name][1:]
	return err
}

func (f *fake) count(name string) int {
	n := 0
	for _, c := range f.calls {
		if c == name {
			n++
		}
	}
	return n
}

func (f *fake) CreateUpload(context.Context, string) (string, error) {
	return "id", f.call("create")
}

func (f *fake) UploadPart(_ context.Context, _ string, n int32, u Upload) (Part, error) {
	data, err := io.ReadAll(u.Body)
	if err != nil {
		return Part{}, err
	}
	if want := EncodeChecksum(objstore.Checksum(data)); u.CRC32C != want {
		return Part{}, fmt.Errorf("part %d came with checksum %s, want %s", n, u.CRC32C, want)
	}
	if err := f.call("part"); err != nil {
		return Part{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts[n] = data
	return Part{Number: n, ETag: fmt.Sprint(n), CRC32C: u.CRC32C}, nil
}

func (f *fake) CompleteUpload(
	_ context.Context, _ string, parts []Part, _ Upload,
) (objstore.Info, error) {
	err := f.call("complete")
	if err != nil && !errors.Is(err, errLanded) {
		return objstore.Info{}, err
	}
	f.object = nil
	for i, p := range parts {
		if p.Number != int32(i+1) {
			return objstore.Info{}, fmt.Errorf("part %d is at place %d", p.Number, i)
		}
		f.object = append(f.object, f.parts[p.Number]...)
	}
	return objstore.Info{ETag: "done"}, err
}

func (f *fake) Head(context.Context, string) (objstore.Info, error) {
	if f.object == nil {
		return objstore.Info{}, answered{Status: 404}
	}
	return objstore.Info{ETag: "done", Size: int64(len(f.object))}, nil
}

func (f *fake) AbortUpload(context.Context, string, string) error { return f.call("abort") }

// errLanded: the upload is completed, but the answer says otherwise.
var errLanded = answered{Status: 500, Code: "InternalError"}

func TestMultipart(t *testing.T) {
	create := objstore.Condition{IfAbsent: true}
	gone := answered{Status: 404, Code: "NoSuchUpload"}
	busy := answered{Status: 503, Code: "SlowDown"}
	tests := []struct {
		name    string
		cond    objstore.Condition
		fail    map[string][]error
		want    error
		aborted bool
		parts   int // calls
	}{
		{name: "quiet", parts: 3},
		{name: "a part again", fail: map[string][]error{"part": {busy}}, parts: 4},
		{
			name: "a part for ever", fail: map[string][]error{"part": slices.Repeat([]error{busy}, 9)},
			want: objstore.ErrUnavailable, aborted: true, parts: -1,
		},
		{
			name: "conflict", cond: create, want: objstore.ErrConflict, aborted: true, parts: 3,
			fail: map[string][]error{"complete": {answered{Status: 412}}},
		},
		{
			name: "completed, answer lost, asked again", parts: 3,
			fail: map[string][]error{"complete": {errLanded, gone}},
		},
		{
			name: "conditional, answer lost", cond: create, want: objstore.ErrUnknownOutcome,
			fail: map[string][]error{"complete": {errLanded}}, aborted: true, parts: 3,
		},
		{
			name: "conditional, error after 200", cond: create, want: objstore.ErrUnknownOutcome,
			fail:    map[string][]error{"complete": {answered{Status: 200, Code: "InternalError"}}},
			aborted: true, parts: 3,
		},
		{
			name: "cannot begin", fail: map[string][]error{"create": {answered{Status: 403}}},
			want: objstore.ErrDenied, parts: 0,
		},
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 12<<20/16)
	cfg := DefaultConfig()
	cfg.AttemptsMax, cfg.BackoffMin, cfg.BackoffMax = 3, time.Microsecond, time.Microsecond
	cfg.MultipartBytes, cfg.PartBytes, cfg.PartsParallel = 5<<20, 5<<20, 2
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{parts: map[int32][]byte{}, fail: tt.fail}
			s, err := New(f, "fake://", "prefix", cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Put(t.Context(), "k", objstore.Bytes(data), tt.cond)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err == nil && !bytes.Equal(f.object, data) {
				t.Error("the parts do not make up the object")
			}
			if aborted := f.count("abort") > 0; aborted != tt.aborted {
				t.Errorf("aborted: %v, want %v", aborted, tt.aborted)
			}
			if n := f.count("part"); tt.parts >= 0 && n != tt.parts {
				t.Errorf("sent %d parts, want %d", n, tt.parts)
			}
		})
	}
}

func TestPartSizes(t *testing.T) {
	for _, tt := range []struct{ size, least, want int64 }{
		{1 << 30, 64 << 20, 64 << 20},
		{5 << 40, 64 << 20, 525 << 20},
		{10_000 * (64 << 20), 64 << 20, 64 << 20},
		{10_000*(64<<20) + 1, 64 << 20, 65 << 20},
	} {
		got := partSize(tt.size, tt.least)
		if got != tt.want || (tt.size+got-1)/got > partsMax {
			t.Errorf("partSize(%d, %d) = %d, want %d", tt.size, tt.least, got, tt.want)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for i, spoil := range []func(*Config){
		func(c *Config) { c.AttemptsMax = 0 },
		func(c *Config) { c.BackoffMin = 0 },
		func(c *Config) { c.ResumesMax = -1 },
		func(c *Config) { c.MultipartBytes = 1 },
		func(c *Config) { c.PartBytes = 6 << 30 },
		func(c *Config) { c.PartsParallel = 0 },
		func(c *Config) { c.ConnsMax = 0 },
		func(c *Config) { c.StallTimeout = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("spoiled config %d passes", i)
		}
	}
}
