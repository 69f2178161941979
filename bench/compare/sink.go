package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// sinkProcess is this program run as bench/sink.
type sinkProcess struct {
	cmd  *exec.Cmd
	addr string
}

func (b *bench) startSink(ctx context.Context) error {
	if b.sink != nil {
		return nil
	}
	dir := b.path("sink")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd, err := child(context.WithoutCancel(ctx), "sink", "127.0.0.1:0", dir)
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.sink = &sinkProcess{cmd: cmd}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start the sink: %w", err)
	}
	b.sink.addr = strings.TrimSpace(addr)
	return nil
}

func (s *sinkProcess) pid() int { return s.cmd.Process.Pid }

func (s *sinkProcess) stop() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	return nil
}

// freePorts gives the lower of two free ports in a row.
func freePorts() (int, error) {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = first.Close()
		if err == nil {
			return port, second.Close()
		}
	}
	return 0, fmt.Errorf("found no two free ports in a row")
}
