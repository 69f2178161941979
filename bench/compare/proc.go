package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for what /proc shows.
const ticksPerSecond = 100

// Fields of /proc/<pid>/stat, counted from the one after the program's name.
const (
	statUserTime   = 11
	statSystemTime = 12
	statStartTime  = 19
)

func procStat(pid int, field int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name is in parentheses and may hold anything.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) <= field {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	ticks, err := strconv.ParseFloat(fields[field], 64)
	return ticks / ticksPerSecond, err
}

// cpuSeconds is what a process has used in user and kernel mode so far.
func cpuSeconds(pid int) (float64, error) {
	user, err := procStat(pid, statUserTime)
	if err != nil {
		return 0, err
	}
	system, err := procStat(pid, statSystemTime)
	return user + system, err
}

// age is how long ago a process was started.
func age(pid int) (time.Duration, error) {
	start, err := procStat(pid, statStartTime)
	if err != nil {
		return 0, err
	}
	raw, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	up, _, _ := strings.Cut(string(raw), " ")
	now, err := strconv.ParseFloat(up, 64)
	return time.Duration((now - start) * float64(time.Second)), err
}

// residentMB is a process's resident memory in MB.
func residentMB(pid int) (float64, error) {
	kb, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	return kb * 1024 / 1e6, err
}

// field is the first number behind a label of a file of /proc.
func field(file, label string) (float64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == label {
			return strconv.ParseFloat(words[1], 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, label)
}
