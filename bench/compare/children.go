package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/varve-log/varve/bench/sink"
)

// children are what this program does when it starts itself.
var children = map[string]func(context.Context, []string) error{
	"touch": touchChild,
	"sink":  sinkChild,
}

// child makes the command that runs one of them.
func child(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// touchChild writes to every page of so many MB and frees them by ending.
func touchChild(_ context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("touch needs MB")
	}
	mb, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(-1, 0, mb*1_000_000, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("map %d MB: %w", mb, err)
	}
	for i := 0; i < len(mem); i += os.Getpagesize() {
		mem[i] = 1
	}
	return unix.Munmap(mem)
}

// sinkChild serves bench/sink on an address with files in a directory.
func sinkChild(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("sink needs an address and a directory")
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return sink.Serve(ctx, listener, args[1])
}
