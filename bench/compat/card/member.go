package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

const leaveTimeMax = 20 * time.Second

// event is a line that a member printed.
type event struct {
	Event      string  `json:"event"`
	Partitions []int32 `json:"partitions"`
	Partition  int32   `json:"partition"`
	Offset     int64   `json:"offset"`
	Value      string  `json:"value"`
	Detail     string  `json:"detail"`
	at         time.Time
}

// member is one process that is, or was, in a group.
type member struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	errs  tail
	done  chan struct{} // closed when the process has ended and all it printed is read

	mu     sync.Mutex
	events []event
	err    error // of the process
}

// startMember runs the client's driver as a member with further arguments.
func startMember(ctx context.Context, s *server, p plug, name string, args ...string) (*member, error) {
	m := &member{name: name, done: make(chan struct{})}
	args = slices.Concat(p.Command[1:],
		[]string{"--bootstrap", s.bootstrap, "--scenario", "member", "--client-id", name}, args)
	m.cmd = exec.CommandContext(ctx, p.Command[0], args...)
	m.cmd.Stderr = &m.errs
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts itself ends with it
	m.cmd.Cancel = func() error { return syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL) }
	var err error
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go m.listen(out)
	return m, nil
}

func (m *member) listen(out io.Reader) {
	defer close(m.done)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		e := event{at: time.Now()}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e.Event, e.Detail = "error", "it printed "+lines.Text()
		}
		m.mu.Lock()
		m.events = append(m.events, e)
		m.mu.Unlock()
	}
	err := m.cmd.Wait()
	m.mu.Lock()
	m.err = err
	m.mu.Unlock()
}

// leave closes stdin and waits for the process to end in order.
func (m *member) leave() error {
	_ = m.stdin.Close()
	select {
	case <-m.done:
	case <-time.After(leaveTimeMax):
		return fmt.Errorf("%s did not leave within %s: %s", m.name, leaveTimeMax, m.errs.text())
	}
	all := m.seen()
	if m.err != nil || len(all) == 0 || all[len(all)-1].Event != "left" {
		return fmt.Errorf("%s left in disorder: %w %s", m.name, m.failure(), m.errs.text())
	}
	return nil
}

func (m *member) kill() {
	_ = syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
	<-m.done
}

func (m *member) ended() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

func (m *member) seen() []event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// failure is the error that a member printed or ended with.
func (m *member) failure() error {
	for _, e := range m.seen() {
		switch e.Event {
		case "error":
			return fmt.Errorf("%s: %s", m.name, e.Detail)
		case "absent":
			return absentError(e.Detail)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return fmt.Errorf("%s ended: %w %s", m.name, m.err, m.errs.text())
	}
	return nil
}

// without are the features that a member said its library lacks.
func (m *member) without() (names []string) {
	for _, e := range m.seen() {
		if e.Event == "without" {
			names = append(names, e.Detail)
		}
	}
	return names
}

// owned is the newest assignment, and how many there were so far.
func (m *member) owned() (partitions []int32, changes int) {
	for _, e := range m.seen() {
		if e.Event == "assigned" {
			partitions = e.Partitions
			changes++
		}
	}
	return partitions, changes
}

// absentError says what a library has not.
type absentError string

func (a absentError) Error() string { return string(a) }
