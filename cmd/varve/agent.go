package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/agent"
)

// agentFlags are the flags that a --config file may set too, by their names.
func agentFlags() []cli.Flag {
	d := agent.DefaultConfig()
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: d.Listen, Usage: "`HOST:PORT` to serve Kafka clients on"},
		&cli.StringFlag{
			Name: "advertise", DefaultText: "the listen address",
			Usage: "`HOST:PORT` that clients are told to connect to",
		},
		&cli.StringFlag{
			Name: "http", Value: d.HTTP, Usage: "`HOST:PORT` of metrics, health and sealing; none for none",
		},
		&cli.StringFlag{Name: "data-dir", Value: d.DataDir, Usage: "`DIR` of hot segments"},
		&cli.StringFlag{
			Name: "store", DefaultText: "file://$PWD/varve-data/bucket",
			Usage: "`URL` of the bucket", Sources: cli.EnvVars("VARVE_STORE"),
		},
		&cli.Int32Flag{Name: "agent-id", Value: d.AgentID, Usage: "`NUMBER` of this agent in the cluster"},
		&cli.StringFlag{Name: "rack", Usage: "`NAME` of the place, shown to clients"},
		&cli.StringFlag{
			Name: "local-bytes-max", Value: "0",
			Usage: "`SIZE` of hot segments from which produce is refused; 0: no bound",
		},
		&cli.StringFlag{
			Name: "cache-bytes-max", Value: "1GiB", Usage: "`SIZE` of the cache of sealed records; 0: none",
		},
		&cli.DurationFlag{
			Name: "stop-seal-time-max", Value: d.StopSealTimeMax,
			Usage: "longest `TIME` that a graceful stop seals; 0: none",
		},
		&cli.DurationFlag{
			Name: "sweep-interval", Value: d.SweepInterval, Usage: "`TIME` between sweeps of garbage; 0: never",
		},
		&cli.DurationFlag{
			Name: "sweep-grace", Value: d.SweepGrace,
			Usage: "`TIME` that an object is kept after its last reference",
		},
		&cli.BoolFlag{
			Name: "take-over", Usage: "replace a lost data directory's agent without waiting for it",
		},
		&cli.StringSliceFlag{
			Name: "setting", Usage: "`NAME=VALUE` of an agent setting, Kafka's names; repeat for more",
		},
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "`LEVEL`: debug, info, warn, error"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT`: text, json"},
	}
}

func (a *app) agentCommand() *cli.Command {
	return example(&cli.Command{
		Name: "agent", Usage: "run an agent: serve Kafka clients, seal into the bucket",
		Description: "Without options a single agent on loopback, with a directory as its bucket. SIGTERM " +
			"stops it\nin order. A --config file is a JSON object of these options by name; options given " +
			"win.",
		Flags: append(agentFlags(), &cli.StringFlag{
			Name: "config", Usage: "`FILE` of options as JSON",
		}),
		Action: a.runAgent,
	}, `varve agent
varve agent --listen 0.0.0.0:9092 --advertise log1:9092 --data-dir /var/lib/varve \
  --store 's3://archive/logs?region=eu-central-1'
varve agent --setting num.partitions=6 --setting auto.create.topics.enable=false`)
}

func (a *app) runAgent(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	if file := cmd.String("config"); file != "" {
		if err := readAgentFile(cmd, file); err != nil {
			return err
		}
	}
	cfg, err := agentConfig(cmd)
	if err != nil {
		return err
	}
	logger, err := a.logger(cmd)
	if err != nil {
		return err
	}
	return agent.Run(ctx, cfg, logger)
}

// agentConfig reads the flags.
func agentConfig(cmd *cli.Command) (agent.Config, error) {
	cfg := agent.DefaultConfig()
	var err error
	if cfg.LocalBytesMax, err = bytesOf(cmd, "local-bytes-max"); err != nil {
		return cfg, err
	}
	if cfg.CacheBytesMax, err = bytesOf(cmd, "cache-bytes-max"); err != nil {
		return cfg, err
	}
	cfg.AgentID, cfg.Rack = cmd.Int32("agent-id"), cmd.String("rack")
	cfg.Listen, cfg.Advertise = cmd.String("listen"), cmd.String("advertise")
	if cfg.HTTP = cmd.String("http"); cfg.HTTP == "none" {
		cfg.HTTP = ""
	}
	cfg.DataDir, cfg.Store = cmd.String("data-dir"), cmd.String("store")
	cfg.StopSealTimeMax = cmd.Duration("stop-seal-time-max")
	cfg.SweepInterval, cfg.SweepGrace = cmd.Duration("sweep-interval"), cmd.Duration("sweep-grace")
	cfg.TakeOver = cmd.Bool("take-over")
	cfg.Settings = map[string]string{}
	for _, pair := range cmd.StringSlice("setting") {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return cfg, usagef(cmd, "--setting %q is not NAME=VALUE", pair).withHint(
				"such as --setting num.partitions=6")
		}
		cfg.Settings[name] = value
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usagef(cmd, "%v", err)
	}
	return cfg, nil
}

func (a *app) logger(cmd *cli.Command) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmd.String("log-level"))); err != nil {
		return nil, usagef(cmd, "--log-level %q is not one of debug, info, warn, error",
			cmd.String("log-level"))
	}
	format, err := oneOf(cmd, "log-format", "text", "json")
	if err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, o)), nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, o)), nil
}

// readAgentFile sets the flags that a file names and the command line does not.
func readAgentFile(cmd *cli.Command, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var options map[string]json.RawMessage
	if err := json.Unmarshal(raw, &options); err != nil {
		return fmt.Errorf("%s is not a JSON object of options: %w", file, err)
	}
	for _, name := range sortedKeys(options) {
		if name == "config" || !hasFlag(cmd, name) {
			e := usagef(cmd, "%s: there is no option %q", file, name)
			if near := nearest(name, flagNames(cmd)); near != "" {
				return e.withHint("did you mean %q?", near)
			}
			return e
		}
		if cmd.IsSet(name) {
			continue
		}
		values, err := optionValues(name, options[name])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, v := range values {
			if err := cmd.Set(name, v); err != nil {
				return fmt.Errorf("%s: option %q: %w", file, name, err)
			}
		}
	}
	return nil
}

func hasFlag(cmd *cli.Command, name string) bool {
	for _, f := range cmd.Flags {
		if f.Names()[0] == name {
			return true
		}
	}
	return false
}

// optionValues is an option's JSON value as the command line would have it. "setting" is an object.
func optionValues(name string, raw json.RawMessage) ([]string, error) {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	case map[string]any:
		var values []string
		for _, key := range sortedKeys(v) {
			values = append(values, fmt.Sprintf("%s=%v", key, v[key]))
		}
		return values, nil
	}
	return nil, fmt.Errorf("option %q: want text, a number, true or false", name)
}
