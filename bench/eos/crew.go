package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopTime is how long a worker may take to end its transaction.
const stopTime = 30 * time.Second

// crew is the workers, each started again whenever it ends.
type crew struct {
	bootstrap string
	seed      uint64
	dir       string

	mu       sync.Mutex
	commands [workers]*exec.Cmd
	lives    [workers]int
	kills    int
	stopping bool
	done     sync.WaitGroup
	stopped  sync.Once
}

func startCrew(bootstrap string, seed uint64, dir string) (*crew, error) {
	c := &crew{bootstrap: bootstrap, seed: seed, dir: dir}
	for i := range workers {
		if err := c.start(i); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// start begins a life of a worker. What it says goes to a file.
func (c *crew) start(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.log(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, "worker", "-bootstrap", c.bootstrap, "-id", fmt.Sprint(i),
		"-seed", fmt.Sprint(c.seed+uint64(i)<<32+uint64(c.lives[i])<<40))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start worker %d: %w", i, err)
	}
	c.commands[i] = cmd
	c.lives[i]++
	c.done.Go(func() {
		_ = cmd.Wait() // however it ended, it is started again
		if err := c.start(i); err != nil {
			fmt.Fprintln(os.Stderr, "eos:", err)
		}
	})
	return nil
}

func (c *crew) log(i int) string { return filepath.Join(c.dir, fmt.Sprintf("worker-%d.log", i)) }

// kill ends a life of a worker at once.
func (c *crew) kill(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kills++
	if err := c.commands[i].Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill worker %d: %w", i, err)
	}
	return nil
}

func (c *crew) killed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kills
}

// trouble is what the workers said last, for a report of what went wrong.
func (c *crew) trouble() error {
	var all error
	for i := range workers {
		b, err := os.ReadFile(c.log(i))
		if err == nil && len(b) > 0 {
			all = errors.Join(all, fmt.Errorf("worker %d, life %d: %s", i, c.lives[i],
				b[max(0, len(b)-1000):]))
		}
	}
	return all
}

// stop lets the workers end their transactions and waits for them.
func (c *crew) stop() {
	c.stopped.Do(func() {
		c.mu.Lock()
		c.stopping = true
		for _, cmd := range c.commands {
			if cmd != nil {
				_ = cmd.Process.Signal(syscall.SIGTERM) // one that has ended needs none
			}
		}
		c.mu.Unlock()
		late := time.AfterFunc(stopTime, func() {
			for i := range workers {
				_ = c.kill(i)
			}
		})
		defer late.Stop()
		c.done.Wait()
	})
}
