package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/file"
)

// The test's program runs itself: racerEnv holds the store's directory for such a child.
const (
	racerEnv      = "VARVE_TEST_FILE_RACER"
	racers        = 4
	swapsPerRacer = 50
	rounds        = 25
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(racerEnv); dir != "" {
		if err := race(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestRaceBetweenProcesses: several processes count up one object by compare-and-set and race to
// create others. No increment is lost, and each create has one winner.
func TestRaceBetweenProcesses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "counter", []byte("0"))
	cmds := make([]*exec.Cmd, racers)
	outputs := make([]bytes.Buffer, racers)
	for i := range cmds {
		cmds[i] = exec.CommandContext(t.Context(), os.Args[0])
		cmds[i].Env = append(os.Environ(), racerEnv+"="+dir)
		cmds[i].Stdout, cmds[i].Stderr = &outputs[i], &outputs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	wins := 0
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("racer %d: %v\n%s", i, err, outputs[i].String())
		}
		wins += bytes.Count(outputs[i].Bytes(), []byte("won\n"))
	}
	b, _, err := objstore.ReadAll(t.Context(), s, "counter", 100)
	if want := strconv.Itoa(racers * swapsPerRacer); err != nil || string(b) != want {
		t.Errorf("the counter is at %s, %v, want %s", b, err, want)
	}
	if wins != rounds {
		t.Errorf("%d creates won in %d rounds", wins, rounds)
	}
}

func race(ctx context.Context, dir string) error {
	s, err := file.Open(dir)
	if err != nil {
		return err
	}
	for round := range rounds {
		_, err := s.Put(ctx, fmt.Sprintf("rounds/%d", round), objstore.Bytes(nil),
			objstore.Condition{IfAbsent: true})
		switch {
		case err == nil:
			fmt.Println("won")
		case !errors.Is(err, objstore.ErrConflict):
			return err
		}
	}
	for done := 0; done < swapsPerRacer; {
		b, info, err := objstore.ReadAll(ctx, s, "counter", 100)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(b))
		if err != nil {
			return err
		}
		_, err = s.Put(ctx, "counter", objstore.Bytes([]byte(strconv.Itoa(n+1))),
			objstore.Condition{IfMatch: info.ETag})
		switch {
		case err == nil:
			done++
		case !errors.Is(err, objstore.ErrConflict):
			return err
		}
	}
	return s.Close()
}
