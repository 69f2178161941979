package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v3"
)

// The flags that say where to, of which exactly one is given.
var resetTargets = []string{
	"to-earliest", "to-latest", "to-offset", "to-datetime", "by-duration", "shift-by",
}

func resetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "to-earliest", Usage: "to the first record"},
		&cli.BoolFlag{Name: "to-latest", Usage: "behind the last record"},
		&cli.Int64Flag{Name: "to-offset", Usage: "to this `OFFSET`"},
		&cli.StringFlag{Name: "to-datetime", Usage: "to the first record at or after this `TIME`"},
		&cli.StringFlag{Name: "by-duration", Usage: "to the first record of the last `TIME`: 90m, 2d"},
		&cli.Int64Flag{Name: "shift-by", Usage: "by this `NUMBER` of offsets, back if below 0"},
	}
}

// resetTarget says where offsets go.
type resetTarget struct {
	how       string // one of resetTargets
	number    int64  // of to-offset and shift-by
	timestamp int64  // of to-datetime and by-duration
}

func resetTargetOf(cmd *cli.Command) (resetTarget, error) {
	var to resetTarget
	for _, flag := range resetTargets {
		if !cmd.IsSet(flag) {
			continue
		}
		if to.how != "" {
			return to, usagef(cmd, "--%s and --%s contradict each other", to.how, flag)
		}
		to.how = flag
	}
	switch to.how {
	case "":
		return to, usagef(cmd, "%s needs to know where to", verbPath(cmd)).withHint(
			"one of --%s", strings.Join(resetTargets, ", --"))
	case "to-offset", "shift-by":
		to.number = cmd.Int64(to.how)
	case "to-datetime":
		at, err := positionOf(cmd, to.how)
		if err != nil || !at.isTime {
			return to, usagef(cmd, "--to-datetime %q is not a time", cmd.String(to.how)).withHint(
				"write 2001-01-31 or 2001-01-31T16:30:00Z")
		}
		to.timestamp = int64(at.time)
	case "by-duration":
		d, err := durationOf(cmd.String(to.how))
		if err != nil {
			return to, usagef(cmd, "--by-duration %q is not a time span", cmd.String(to.how)).withHint(
				"write 90m, 2d, 1h30m or PT1H30M")
		}
		to.timestamp = time.Now().Add(-d).UnixMilli()
	}
	return to, nil
}

// isoDuration is what Kafka's tool takes: days, hours, minutes and seconds of ISO 8601.
var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// durationOf reads 90m, 2d, 1h30m or PT1H30M.
func durationOf(text string) (time.Duration, error) {
	if m := isoDuration.FindStringSubmatch(text); m != nil && text != "P" && text != "PT" {
		var d time.Duration
		for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
			n, _ := strconv.ParseInt("0"+m[i+1], 10, 32)
			d += time.Duration(n) * unit
		}
		return d, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is below 0", text)
	}
	return d, err
}

// offsets gives the new offset of each partition, within its ends. Partitions that are gone have none.
func (to resetTarget) offsets(
	ctx context.Context, client *kgo.Client, of []tp, committed map[tp]int64,
) (map[tp]int64, error) {
	lows, err := offsetsAt(ctx, client, of, earliestTimestamp)
	if err != nil {
		return nil, err
	}
	highs, err := offsetsAt(ctx, client, of, latestTimestamp)
	if err != nil {
		return nil, err
	}
	var times map[tp]int64
	if to.how == "to-datetime" || to.how == "by-duration" {
		if times, err = offsetsAt(ctx, client, of, to.timestamp); err != nil {
			return nil, err
		}
	}
	targets := make(map[tp]int64, len(of))
	for _, p := range of {
		high, exists := highs[p]
		if !exists {
			continue
		}
		var target int64
		switch to.how {
		case "to-earliest":
			target = lows[p]
		case "to-latest":
			target = high
		case "to-offset":
			target = to.number
		case "shift-by":
			from, ok := committed[p]
			if !ok {
				return nil, fmt.Errorf("%s cannot be shifted: the group has committed no offset of it", p)
			}
			target = from + to.number
		default:
			if target = times[p]; target < 0 { // no record is that young
				target = high
			}
		}
		targets[p] = min(max(target, lows[p]), high)
	}
	return targets, nil
}
