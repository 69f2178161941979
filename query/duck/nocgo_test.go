//go:build !cgo

package duck

import (
	"errors"
	"testing"
)

func TestOpenSaysWhatToInstall(t *testing.T) {
	if _, err := Open(nil, Options{}); !errors.Is(err, ErrNeedsCgo) {
		t.Errorf("got %v", err)
	}
	t.Skip("query tests need a C compiler: build with CGO_ENABLED=1")
}
