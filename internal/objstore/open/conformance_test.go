package open_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/objstoretest"
	"github.com/varve-log/varve/internal/objstore/open"
)

var testOptions = open.Options{MultipartBytes: 6 << 20, PartBytes: 5 << 20}

// TestConformanceOfServers runs the suite on every real server there is, through both SDKs.
func TestConformanceOfServers(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			addr := s.start(t)
			user, secret := s.keys()
			t.Setenv("AWS_ACCESS_KEY_ID", user)
			t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
			for sdk := range s.urls(addr, "") {
				t.Run(sdk, func(t *testing.T) {
					if s.ignoresConditions {
						refused(t, s, addr, sdk)
						return
					}
					conforms(t, s, addr, sdk)
				})
			}
		})
	}
}

func conforms(t *testing.T, s server, addr, sdk string) {
	var n atomic.Int64
	objstoretest.Suite{
		Rounds: 50, NoChecksums: s.noChecksums,
		NoPartChecksums: s.noPartChecksums, MultipartBytes: testOptions.MultipartBytes,
		Open: func(t *testing.T) objstore.Store {
			url := s.urls(addr, fmt.Sprintf("%s/%d", sdk, n.Add(1)))[sdk]
			store, err := open.Open(t.Context(), url, testOptions)
			if err != nil {
				t.Fatal(err)
			}
			return store
		},
	}.Run(t)
}

func refused(t *testing.T, s server, addr, sdk string) {
	store, err := open.Open(t.Context(), s.urls(addr, "liar")[sdk], testOptions)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	err = objstore.Probe(t.Context(), store)
	if !errors.Is(err, objstore.ErrLyingStore) || !strings.Contains(err.Error(), store.URL()) {
		t.Fatalf("the probe told %v, want that %s ignores conditions", err, store.URL())
	}
	page, err := store.List(t.Context(), "", "", 10)
	if err != nil || len(page.Objects) != 0 {
		t.Errorf("the probe left %+v, %v behind", page, err)
	}
}
