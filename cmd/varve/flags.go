package main

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/tiering/replay"
)

// The flags that several verbs share. Each call makes a new one: a flag keeps the value it was given.

func bootstrapFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "bootstrap", Value: "127.0.0.1:9092",
		Usage:   "`HOST:PORT,...` of agents to connect to",
		Sources: cli.EnvVars("VARVE_BOOTSTRAP"),
	}
}

func storeFlag() cli.Flag {
	return &cli.StringFlag{
		Name:    "store",
		Usage:   "`URL` of the bucket: file:///dir, s3://bucket/prefix, minio://host/bucket",
		Sources: cli.EnvVars("VARVE_STORE"),
	}
}

func httpFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "http", Value: "127.0.0.1:9093",
		Usage:   "`HOST:PORT` of the agent's HTTP side",
		Sources: cli.EnvVars("VARVE_HTTP"),
	}
}

func outputFlag(formats ...string) cli.Flag {
	return &cli.StringFlag{
		Name: "output", Aliases: []string{"o"}, Value: formats[0],
		Usage: "`FORMAT`: " + strings.Join(formats, ", "),
	}
}

// readUncommittedFlag turns off what is the default everywhere in the bucket.
func readUncommittedFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "read-uncommitted", Usage: "show the records of aborted transactions too",
	}
}

func isolationOf(cmd *cli.Command) replay.Isolation {
	if cmd.Bool("read-uncommitted") {
		return replay.ReadUncommitted
	}
	return replay.ReadCommitted
}

func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}
}

// outputOf returns the chosen format, or a usage error that lists them.
func outputOf(cmd *cli.Command, formats ...string) (string, error) {
	return oneOf(cmd, "output", formats...)
}

// oneOf returns a flag's value if it is one of the choices.
func oneOf(cmd *cli.Command, flag string, choices ...string) (string, error) {
	value := cmd.String(flag)
	if slices.Contains(choices, value) {
		return value, nil
	}
	e := usagef(cmd, "--%s %q is not one of %s", flag, value, strings.Join(choices, ", "))
	if near := nearest(value, choices); near != "" {
		return "", e.withHint("did you mean %s?", near)
	}
	return "", e
}

// storeOf returns the bucket's URL, or a usage error where none was given.
func storeOf(cmd *cli.Command) (string, error) {
	if url := cmd.String("store"); url != "" {
		return url, nil
	}
	return "", usagef(cmd, "%s needs --store", verbPath(cmd)).withHint(
		"give the bucket's URL, such as file:///var/lib/varve/bucket, or set VARVE_STORE")
}

// bytesOf reads a size such as 1048576, 64KiB, 1.5GiB or 100MB.
func bytesOf(cmd *cli.Command, flag string) (int64, error) {
	text := strings.TrimSpace(cmd.String(flag))
	digits := strings.TrimRight(text, "KMGTkmgtIiBb ")
	scale, known := sizeUnits[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || !(value >= 0 && value < math.MaxInt64/float64(scale)) {
		return 0, usagef(cmd, "--%s %q is not a size", flag, text).withHint("write 65536 or 64KiB")
	}
	return int64(value * float64(scale)), nil
}

var sizeUnits = map[string]int64{
	"": 1, "b": 1,
	"k": 1 << 10, "kib": 1 << 10, "kb": 1e3,
	"m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
	"g": 1 << 30, "gib": 1 << 30, "gb": 1e9,
	"t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
}

// position is where in a log to begin or end: an offset or a time.
type position struct {
	special string // "earliest", "latest" or ""
	offset  kafka.Offset
	time    kafka.Timestamp
	isTime  bool
}

// positionOf reads "earliest", "latest", an offset, or a time as RFC 3339 or a date.
func positionOf(cmd *cli.Command, flag string) (position, error) {
	text := cmd.String(flag)
	switch text {
	case "earliest", "latest", "":
		return position{special: text}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return position{offset: kafka.Offset(n)}, nil
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly,
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return position{isTime: true, time: kafka.Timestamp(at.UnixMilli())}, nil
		}
	}
	return position{}, usagef(cmd, "--%s %q is neither an offset nor a time", flag, text).withHint(
		"write 1000, 2001-01-31, 2001-01-31T16:30:00Z, earliest or latest")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// countOf says how many there are of what has a regular plural.
func countOf(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return render.Count(n) + " " + what + "s"
}
