package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/agent"
	"github.com/varve-log/varve/internal/progress"
)

type cliCommand = cli.Command

func newQuietBar() *progress.Bar { return progress.New(nil, progress.Options{}) }

// configOf reads an agent's command line without starting the agent.
func configOf(t *testing.T, args ...string) (agent.Config, string) {
	t.Helper()
	var stderr bytes.Buffer
	a := newApp(strings.NewReader(""), &stderr, &stderr)
	var cfg agent.Config
	cmd := a.agentCommand()
	cmd.Action = func(_ context.Context, cmd *cli.Command) (err error) {
		if file := cmd.String("config"); file != "" {
			if err := readAgentFile(cmd, file); err != nil {
				return err
			}
		}
		cfg, err = agentConfig(cmd)
		return err
	}
	adopt(cmd)
	if err := cmd.Run(t.Context(), append([]string{"agent"}, args...)); err != nil {
		return cfg, err.Error()
	}
	return cfg, ""
}

// Without flags, the agent is the default one.
func TestAgentDefaults(t *testing.T) {
	cfg, err := configOf(t)
	want := agent.DefaultConfig()
	want.Settings = cfg.Settings
	if err != "" || len(cfg.Settings) != 0 {
		t.Fatalf("got %+v, %s", cfg, err)
	}
	if cfg.Listen != want.Listen || cfg.CacheBytesMax != want.CacheBytesMax ||
		cfg.SweepGrace != want.SweepGrace || cfg.DataDir != want.DataDir || cfg.HTTP != want.HTTP {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
}

// The command line wins over the file, the file over the defaults.
func TestAgentFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agent.json")
	text := `{"listen": "127.0.0.1:1111", "rack": "r1", "agent-id": 7, "take-over": true,
		"sweep-interval": "5m", "cache-bytes-max": 1048576, "http": "none",
		"setting": {"num.partitions": 3, "auto.create.topics.enable": false}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := configOf(t, "--config", file, "--listen", "127.0.0.1:2222")
	if err != "" {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:2222" || cfg.Rack != "r1" || cfg.AgentID != 7 || !cfg.TakeOver ||
		cfg.SweepInterval != 5*time.Minute || cfg.CacheBytesMax != 1<<20 || cfg.HTTP != "" ||
		cfg.Settings["num.partitions"] != "3" || cfg.Settings["auto.create.topics.enable"] != "false" {
		t.Errorf("got %+v", cfg)
	}
	for text, want := range map[string]string{
		`{"lisen": "x"}`:                `no option "lisen"`,
		`{"listen": ["x"]}`:             "want text, a number, true or false",
		`{"agent-id": "many"}`:          `option "agent-id"`,
		`[1]`:                           "not a JSON object",
		`{"setting": {"nope": 1}}`:      "nope",
		`{"config": "other.json"}`:      `no option "config"`,
		`{"local-bytes-max": "plenty"}`: "not a size",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := configOf(t, "--config", file); !strings.Contains(err, want) {
			t.Errorf("%s: got %q, want %q", text, err, want)
		}
	}
}

// On a terminal a deletion asks; only yes is yes.
func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false} {
		var stderr bytes.Buffer
		a := newApp(strings.NewReader(answer), &stderr, &stderr)
		a.interactive = true
		cmd := a.topicDeleteCommand()
		err := a.confirm(cmd, "Delete it?")
		if got := err == nil; got != want {
			t.Errorf("%q: got %v, want %v", answer, err, want)
		}
		if !strings.Contains(stderr.String(), "Delete it? [y/N]") {
			t.Errorf("asked %q", &stderr)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "65536": 65536, "64KiB": 65536, "64kib": 65536, "1.5MiB": 3 << 19, "100MB": 100e6,
		"1 GiB": 1 << 30, "2g": 2 << 30, "": -1, "KiB": -1, "64XB": -1, "-1": -1, "NaN": -1, "1e99": -1,
	} {
		cmd := &cli.Command{
			Name: "x", Flags: []cli.Flag{&cli.StringFlag{Name: "size"}},
			Action: func(_ context.Context, cmd *cli.Command) error {
				got, err := bytesOf(cmd, "size")
				if err != nil {
					got = -1
				}
				if got != want {
					t.Errorf("%q is %d (%v), want %d", text, got, err, want)
				}
				return nil
			},
		}
		if err := cmd.Run(t.Context(), []string{"x", "--size=" + text}); err != nil {
			t.Error(err)
		}
	}
}
