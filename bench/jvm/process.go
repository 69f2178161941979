package jvm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const stopTime = 30 * time.Second

// Command says which class to run and how.
type Command struct {
	ClassPath string
	Flags     []string // of java, such as -Xmx256m
	Class     string
	Args      []string
	Log       string // file that stdout and stderr are appended to
}

// Process is a running Java program.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended, once done is closed
	log  *os.File
	path string
}

// quick are flags for programs that live for seconds and share few cores.
var quick = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

// Start runs the program.
func Start(c Command) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(c.Log), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of a log: %w", err)
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", c.Class, err)
	}
	args := append(append([]string{}, quick...), c.Flags...)
	args = append(append(args, "-cp", c.ClassPath, c.Class), c.Args...)
	p := &Process{cmd: exec.Command("java", args...), done: make(chan struct{}), log: log, path: c.Log}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's ^C is ours to pass on
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", c.Class, err), log.Close())
	}
	go func() {
		p.err = p.cmd.Wait()
		_ = log.Close()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the program ended; nil is exit status 0.
func (p *Process) Err() error {
	<-p.done
	if p.err != nil {
		return fmt.Errorf("%w\n%s", p.err, p.Tail())
	}
	return nil
}

// Kill ends the program at once, as kill -9 does, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails when it has ended already
	<-p.done
}

// Stop asks the program to end, waits, and kills it when that takes too long, which is an error.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended already
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("did not stop within %s\n%s", stopTime, p.Tail())
	}
}

// Tail is the end of what the program printed.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

// Logging writes log4j2 settings that print warnings to stderr, and returns the flag that names them.
func Logging(dir string) (string, error) {
	path := filepath.Join(dir, "log4j2.properties")
	settings := `rootLogger.level = WARN
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d %p %m (%c)%n
rootLogger.appenderRef.stderr.ref = stderr
`
	if err := os.WriteFile(path, []byte(settings), 0o644); err != nil {
		return "", fmt.Errorf("write the settings of logging: %w", err)
	}
	return "-Dlog4j2.configurationFile=" + path, nil
}
