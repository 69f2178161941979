package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
)

type listedGroup struct {
	Group        string `json:"group"`
	Type         string `json:"type"`
	State        string `json:"state"`
	ProtocolType string `json:"protocol_type"`
}

func (a *app) groupListCommand() *cli.Command {
	return example(&cli.Command{
		Name: "list", Usage: "list the consumer groups",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{
				Name: "state", Usage: "only groups in this `STATE`, such as stable or empty; repeat for more",
			},
			&cli.StringSliceFlag{
				Name: "type", Usage: "only groups of this `TYPE`: classic, consumer; repeat for more",
			},
			bootstrapFlag(), outputFlag("table", "json"),
		},
		Action: a.groupList,
	}, "varve group list\nvarve group list --state empty -o json")
}

func (a *app) groupList(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrListGroupsRequest()
	req.StatesFilter, req.TypesFilter = cmd.StringSlice("state"), cmd.StringSlice("type")
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kafkaError(resp.ErrorCode, nil)
	}
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	groups := make([]listedGroup, 0, len(resp.Groups))
	for _, g := range resp.Groups {
		groups = append(groups, listedGroup{g.Group, g.GroupType, g.GroupState, g.ProtocolType})
	}
	slices.SortFunc(groups, func(x, y listedGroup) int { return cmp.Compare(x.Group, y.Group) })
	if output == "json" {
		return render.JSON(a.stdout, groups)
	}
	table := render.NewTable("GROUP", "TYPE", "STATE", "PROTOCOL")
	for _, g := range groups {
		table.Row(g.Group, g.Type, g.State, cmp.Or(g.ProtocolType, "-"))
	}
	return table.Write(a.stdout)
}
