package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 2 * time.Minute
	tailBytes    = 8 << 10
)

// Config says which agent to run.
type Config struct {
	Varve   string // path of the binary
	DataDir string
	Store   string   // URL
	Args    []string // further flags of `varve agent`
}

// Agent is one agent, running or not, at a fixed address.
type Agent struct {
	cfg   Config
	kafka string
	http  string

	cmd  *exec.Cmd
	done chan error
	log  *tail
}

// New picks addresses for an agent that is not started yet.
func New(cfg Config) (*Agent, error) {
	kafka, err := freeAddress()
	if err != nil {
		return nil, err
	}
	http, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return &Agent{cfg: cfg, kafka: kafka, http: http}, nil
}

// Bootstrap is the address for Kafka clients.
func (a *Agent) Bootstrap() string { return a.kafka }

// HTTP is the base URL of metrics, health and sealing.
func (a *Agent) HTTP() string { return "http://" + a.http }

// PID of the running process, 0 when there is none.
func (a *Agent) PID() int {
	if a.cmd == nil {
		return 0
	}
	return a.cmd.Process.Pid
}

// SetDataDir changes the data directory for the next start.
func (a *Agent) SetDataDir(dir string) { a.cfg.DataDir = dir }

// Start runs the agent and returns when it is ready.
func (a *Agent) Start(ctx context.Context) error {
	args := append([]string{
		"agent", "--listen", a.kafka, "--http", a.http,
		"--data-dir", a.cfg.DataDir, "--store", a.cfg.Store,
	}, a.cfg.Args...)
	a.log = &tail{}
	a.cmd = exec.Command(a.cfg.Varve, args...)
	a.cmd.Stdout, a.cmd.Stderr = io.Discard, a.log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's ^C is ours to pass on
	if err := a.cmd.Start(); err != nil {
		a.cmd = nil
		return fmt.Errorf("start %s: %w", a.cfg.Varve, err)
	}
	a.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(a.cmd, a.done)
	return a.awaitReady(ctx)
}

func (a *Agent) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-a.done:
			a.cmd = nil
			return fmt.Errorf("agent ended before it was ready: %w\n%s", err, a.log)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("agent not ready: %w\n%s", ctx.Err(), a.log), a.Kill())
		case <-ticker.C:
			if a.ready(ctx) {
				return nil
			}
		}
	}
}

func (a *Agent) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.HTTP()+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// Kill ends the process at once, as kill -9 does, and waits for it.
func (a *Agent) Kill() error {
	if a.cmd == nil {
		return nil
	}
	if err := a.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill agent: %w", err)
	}
	<-a.done // its exit status says that it was killed
	a.cmd = nil
	return nil
}

// Stop asks the agent to stop in order and waits. An exit status other than 0 is an error.
func (a *Agent) Stop() error {
	if a.cmd == nil {
		return nil
	}
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(fmt.Errorf("stop agent: %w", err), a.Kill())
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case err := <-a.done:
		a.cmd = nil
		if err != nil {
			return fmt.Errorf("agent stopped with %w\n%s", err, a.log)
		}
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("agent did not stop within %s\n%s", stopTimeout, a.log), a.Kill())
	}
}

// Log is the end of what the agent printed since its last start.
func (a *Agent) Log() string { return a.log.String() }

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	address := l.Addr().String()
	return address, l.Close()
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if over := t.b.Len() - tailBytes; over > tailBytes {
		t.b.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
