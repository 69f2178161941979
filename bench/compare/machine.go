package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine says where and on what the figures were measured.
type machine struct {
	Cores    int     `json:"cores"`
	CPU      string  `json:"cpu"`
	MemoryGB float64 `json:"memory_gb"`
	Kernel   string  `json:"kernel"`
	Go       string  `json:"go"`
	Commit   string  `json:"commit"`
	Date     string  `json:"date"`
}

func thisMachine(root string) machine {
	m := machine{
		Cores: runtime.NumCPU(), CPU: cpuModel(), Go: runtime.Version(), Commit: "unknown",
		Date: time.Now().UTC().Format(time.DateOnly),
	}
	if kb, err := field("/proc/meminfo", "MemTotal:"); err == nil {
		m.MemoryGB = kb * 1024 / 1e9
	}
	if raw, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(raw))
	}
	out, err := exec.Command("git", "-C", root, "describe", "--always", "--dirty").Output()
	if err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m
}

func cpuModel() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores (%s), %.0f GB of memory, Linux %s, %s, commit %s, %s",
		m.Cores, m.CPU, m.MemoryGB, m.Kernel, m.Go, m.Commit, m.Date)
}
