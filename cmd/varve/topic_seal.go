package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/agent/admin"
	"github.com/varve-log/varve/internal/render"
)

func (a *app) topicSealCommand() *cli.Command {
	return example(&cli.Command{
		Name: "seal", Usage: "seal all committed records into the bucket now, and wait",
		ArgsUsage: "TOPIC",
		Description: "Rolls each partition's active segment, uploads and verifies what is rolled. " +
			"Returns\nonce the bucket holds every record that was committed before the call.",
		Flags: []cli.Flag{
			&cli.DurationFlag{
				Name: "timeout", Value: 5 * time.Minute, Usage: "longest `TIME` to wait",
			},
			httpFlag(), outputFlag("table", "json"),
		},
		Action: a.topicSeal,
	}, "varve topic seal flights\nvarve topic seal flights --timeout 30m --http 10.0.0.5:9093")
}

func (a *app) topicSeal(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	timeout := cmd.Duration("timeout")
	ctx, cancel := context.WithTimeout(ctx, timeout+5*time.Second)
	defer cancel()
	path := "/v1/topics/" + url.PathEscape(args[0]) + "/seal?timeout=" + timeout.String()
	var result admin.SealResult
	if err := askAgent(ctx, cmd, http.MethodPost, path, &result); err != nil {
		return fmt.Errorf("seal topic %q: %w", args[0], err)
	}
	if output == "json" {
		return render.JSON(a.stdout, result)
	}
	table := render.NewTable("PARTITION", "SEALED TO OFFSET")
	for _, p := range result.Partitions {
		table.Row(p.Partition, p.VerifiedEnd)
	}
	return table.Write(a.stdout)
}
