package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-log/varve/kafka"
)

// An output that was cut off anywhere after its mark goes on to the very same bytes.
func TestContinue(t *testing.T) {
	s := &session{t: t, dir: t.TempDir()}
	s.startAgent()
	s.run("varve topic create t --partitions 2 --config internal.segment.bytes=16384")
	for round := range 4 {
		for i := range 300 {
			s.stdin += fmt.Sprintf("key-%d=%s\n", i, strings.Repeat("x", 100+round))
		}
		s.run("varve produce t --key-separator = --batch 4KiB")
	}
	s.run("varve topic seal t")
	whole := filepath.Join(s.dir, "whole")
	s.run("varve replay t --out " + whole)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for stopAfter := range 6 {
		part := filepath.Join(s.dir, fmt.Sprint("part", stopAfter))
		interruptReplay(t, part, stopAfter)
		got := s.run("varve replay t --out " + part + " --continue")
		if !strings.HasPrefix(got, "! replayed") {
			t.Fatalf("after %d runs: %s", stopAfter, got)
		}
		if after, err := os.ReadFile(part); err != nil || string(after) != string(want) {
			t.Fatalf("after %d runs: %d bytes, want %d (%v)", stopAfter, len(after), len(want), err)
		}
		if _, err := os.Stat(markPath(part)); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the mark is still there: %v", err)
		}
	}
}

// interruptReplay replays into a file and fails after some runs, as a full disk would, with half a
// run written behind the last mark.
func interruptReplay(t *testing.T, out string, runs int) {
	t.Helper()
	a := newApp(strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	job := &replayJob{}
	cmd := a.replayCommand()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd.Action = func(ctx context.Context, _ *cliCommand) error { return job.interrupt(ctx, a, cmd, runs) }
	adopt(cmd)
	err := cmd.Run(ctx, []string{"replay", "t", "--out", out})
	if !errors.Is(err, errInterrupted) {
		t.Fatalf("got %v", err)
	}
	var m mark
	raw, err := os.ReadFile(markPath(out))
	if err != nil || json.Unmarshal(raw, &m) != nil {
		t.Fatalf("no mark: %v", err)
	}
}

var errInterrupted = errors.New("interrupted")

func (j *replayJob) interrupt(ctx context.Context, a *app, cmd *cliCommand, runs int) error {
	opened, err := replayJobOf(cmd, "t")
	if err != nil {
		return err
	}
	*j = *opened
	store, reader, err := a.openCatalog(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	topic, err := archivedTopic(reader.State(), "t")
	if err != nil {
		return err
	}
	if err := j.open(ctx, cmd, store, reader, topic); err != nil {
		return err
	}
	defer j.close()
	j.bar = newQuietBar()
	file, err := openResumable(j)
	if err != nil {
		return err
	}
	err = j.runLines(ctx, file.w, func(part int, next kafka.Offset) error {
		if runs--; runs < 0 {
			return errors.Join(errInterrupted, file.w.Flush())
		}
		return file.at(part, next)
	})
	return errors.Join(err, file.close(err == nil))
}

// What was begun with other options is not gone on with.
func TestContinueRefuses(t *testing.T) {
	s := &session{t: t, dir: t.TempDir()}
	s.startAgent()
	s.run("varve topic create t --partitions 1\nvarve topic create u --partitions 1")
	s.stdin = "a\nb\n"
	s.run("varve produce t\nvarve topic seal t")
	out := filepath.Join(s.dir, "out")
	interruptReplay(t, out, 0)
	for line, want := range map[string]string{
		"varve replay u --out " + out + " --continue":         "give the same options",
		"varve replay t --out " + out + " --continue -o json": "give the same options",
	} {
		if got := s.run(line); !strings.Contains(got, want) || !strings.Contains(got, "exit 1") {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	if err := os.WriteFile(markPath(out), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.run("varve replay t --out " + out + " --continue"); !strings.Contains(got, "damaged") {
		t.Errorf("got %q", got)
	}
}
