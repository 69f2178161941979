package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/varve-log/varve/bench/jvm"
)

// plug is one line of an install program (../README.md).
type plug struct {
	Client  string   `json:"client"`
	Version string   `json:"version"`
	Command []string `json:"command,omitempty"`
	Missing string   `json:"missing,omitempty"`
	Table   string   `json:"table"`
}

// install copies Kafka's jars into the cache and prints one client for each transcript, so that the
// report card may run some at once.
func install(cache string) error {
	out := json.NewEncoder(os.Stdout)
	project, err := jvm.Cache(cache).Install(context.Background(), "kafka", filepath.Join("bench", "jvm"))
	if errors.Is(err, jvm.ErrMissing) {
		return out.Encode(plug{Client: client, Version: version, Missing: err.Error(), Table: "tools"})
	}
	if err != nil {
		return err
	}
	libs := filepath.Join(project.Dir, "libs")
	archive(libs)
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	names, err := transcripts()
	if err != nil {
		return err
	}
	for _, name := range names {
		command := []string{self, "-libs", libs, "-only", name}
		p := plug{Client: client, Version: version, Command: command, Table: "tools"}
		if err := out.Encode(p); err != nil {
			return err
		}
	}
	return nil
}

// transcripts are the names of those in testdata.
func transcripts() ([]string, error) {
	files, err := testdata.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".txt"))
	}
	return names, nil
}

// sharedArchive is where the tools' classes lie as the JVM maps them, beside the jars.
func sharedArchive(libs string) string { return filepath.Join(filepath.Dir(libs), "tools.jsa") }

// archive writes the tools' classes down once, which halves what the start of a tool costs. A tool runs
// without it too, so a failure is none.
func archive(libs string) {
	path := sharedArchive(libs)
	if exists(path) {
		return
	}
	args := append(strings.Fields(javaFlags), "-XX:ArchiveClassesAtExit="+path, "-cp",
		filepath.Join(libs, "*"), "org.apache.kafka.tools.TopicCommand", "--version")
	_ = exec.Command("java", args...).Run()
}
