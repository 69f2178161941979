package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is not caught
	code := newApp(os.Stdin, os.Stdout, os.Stderr).run(ctx, os.Args)
	stop()
	os.Exit(code)
}
