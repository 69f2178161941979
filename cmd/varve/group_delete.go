package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"
)

func (a *app) groupDeleteCommand() *cli.Command {
	return example(&cli.Command{
		Name: "delete", Usage: "delete groups without members, with their offsets", ArgsUsage: "GROUP...",
		Flags:  []cli.Flag{yesFlag(), bootstrapFlag()},
		Action: a.groupDelete,
	}, "varve group delete reports\nvarve group delete reports billing --yes")
}

func (a *app) groupDelete(ctx context.Context, cmd *cli.Command) error {
	groups := cmd.Args().Slice()
	if len(groups) == 0 {
		return usagef(cmd, "%s needs GROUP", verbPath(cmd))
	}
	if err := a.confirm(cmd, fmt.Sprintf(
		"Delete %s with all committed offsets?", strings.Join(groups, ", "))); err != nil {
		return err
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = groups
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("delete groups: %w", err)
	}
	codes := make(map[string]int16)
	for _, g := range resp.Groups {
		codes[g.Group] = g.ErrorCode
	}
	var failed []error
	for _, group := range groups {
		if err := groupError(group, "delete", codes[group], nil); err != nil {
			failed = append(failed, err)
			continue
		}
		fmt.Fprintf(a.stderr, "deleted group %s\n", group)
	}
	return errors.Join(failed...)
}
