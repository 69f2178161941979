package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

// Member commits every 100 ms, which is the best that kcat can do.
func (k *kcat) Member(ctx context.Context, m driver.Member, e *driver.Events) error {
	if m.Consumer {
		return driver.Absent("consumer protocol (KIP-848)")
	}
	strategy := map[bool]string{false: "range", true: "cooperative-sticky"}[m.Cooperative]
	args := []string{"-b", k.bootstrap, "-G", m.Group, "-u", "-f", "record %p %o %s\n"}
	for name, value := range map[string]any{
		"client.id": m.ClientID, "partition.assignment.strategy": strategy, "auto.offset.reset": "earliest",
		"session.timeout.ms": driver.SessionMillis, "heartbeat.interval.ms": driver.HeartbeatMillis,
		"max.poll.interval.ms": driver.RebalanceMillis, "auto.commit.interval.ms": 100,
		"fetch.wait.max.ms": 200,
	} {
		args = append(args, "-X", fmt.Sprintf("%s=%v", name, value))
	}
	if m.Instance != "" {
		args = append(args, "-X", "group.instance.id="+m.Instance)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("kcat", append(args, m.Topic)...)
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = write.Close()
	go func() {
		<-ctx.Done()
		_ = cmd.Process.Signal(syscall.SIGINT)
	}()
	last := ""
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if line := lines.Text(); !hear(line, e, m.Cooperative) {
			fmt.Fprintln(os.Stderr, line)
			last = line
		}
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return errors.New(last)
	}
	return fmt.Errorf("kcat ended by itself: %s", last)
}

var partition = regexp.MustCompile(`\[(\d+)\]`)

// hear turns a line of kcat's into an event.
func hear(line string, e *driver.Events, cooperative bool) bool {
	if fields := strings.SplitN(line, " ", 4); len(fields) == 4 && fields[0] == "record" {
		p, err := strconv.Atoi(fields[1])
		offset, err2 := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || err2 != nil {
			return false
		}
		e.Record(int32(p), offset, []byte(fields[3]))
		return true
	}
	// "... rebalanced (memberid M): assigned: t [0], t [1]", and with the cooperative protocol
	// "... rebalanced: incremental assignment of 2 partition(s) (memberid M, ...): t [0], t [1]".
	_, what, ok := strings.Cut(line, " rebalanced")
	if !ok {
		return false
	}
	_, names, _ := strings.Cut(what, "): ")
	gained := strings.Contains(what, "assign")
	var partitions []int32
	for _, found := range partition.FindAllStringSubmatch(names, -1) {
		p, _ := strconv.Atoi(found[1])
		partitions = append(partitions, int32(p))
	}
	switch {
	case gained && cooperative:
		e.Gain(partitions)
	case gained:
		e.Own(partitions)
	default:
		e.Lose(partitions)
	}
	return true
}
