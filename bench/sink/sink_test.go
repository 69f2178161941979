package sink

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/varve-log/varve/bench/load"
)

func TestTheSinkTakesALoadAndCleansUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, listener, dir) }()
	p := load.DefaultProduce()
	p.Addr, p.Topic, p.Bare, p.BytesMax = listener.Addr().String(), "t", true, 8<<20
	p.Duration = 10 * time.Second
	got, err := p.Run(t.Context())
	if err != nil || got.Bytes < p.BytesMax {
		t.Fatalf("%+v, %v", got, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Fatalf("%d files are left, %v", len(left), err)
	}
}
