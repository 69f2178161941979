package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
)

type describedGroup struct {
	Group    string `json:"group"`
	Type     string `json:"type"`
	State    string `json:"state"`
	Assignor string `json:"assignor,omitempty"`
	// Lag is over all partitions; null while one that holds records has no committed offset.
	Lag     *int64            `json:"lag"`
	Members []describedMember `json:"members"`
	Offsets []describedOffset `json:"offsets"`
}

type describedMember struct {
	Member     string   `json:"member"`
	Instance   string   `json:"instance,omitempty"`
	Client     string   `json:"client"`
	Host       string   `json:"host"`
	Partitions []string `json:"partitions"`

	assigned []tp
}

// describedOffset is one partition that the group has committed or consumes. What is not known is null.
type describedOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"`
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	Member    string `json:"member,omitempty"`
}

func (a *app) groupDescribeCommand() *cli.Command {
	return example(&cli.Command{
		Name: "describe", Usage: "show a group's members, offsets and lag", ArgsUsage: "GROUP",
		Description: "END is the offset of the next record of a partition, and LAG how many are not consumed.",
		Flags:       []cli.Flag{bootstrapFlag(), outputFlag("table", "json")},
		Action:      a.groupDescribe,
	}, "varve group describe reports\nvarve group describe reports -o json")
}

func (a *app) groupDescribe(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "GROUP")
	if err != nil {
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
	g, err := groupMembers(ctx, client, args[0])
	if err != nil {
		return err
	}
	if err := g.addOffsets(ctx, client); err != nil {
		return err
	}
	if output == "json" {
		return render.JSON(a.stdout, g)
	}
	return g.write(a.stdout)
}

// addOffsets adds what is committed, and how far that is behind.
func (g *describedGroup) addOffsets(ctx context.Context, client *kgo.Client) error {
	committed, err := committedOffsets(ctx, client, g.Group)
	if err != nil {
		return err
	}
	owners := make(map[tp]string)
	for i := range g.Members {
		for _, p := range g.Members[i].assigned {
			owners[p] = g.Members[i].Member
		}
	}
	var all []tp
	for p := range committed {
		all = append(all, p)
	}
	for p := range owners {
		if _, ok := committed[p]; !ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, tp.compare)
	ends, err := offsetsAt(ctx, client, all, latestTimestamp)
	if err != nil {
		return err
	}
	g.Offsets = make([]describedOffset, 0, len(all))
	total, complete := int64(0), true
	for _, p := range all {
		o := describedOffset{Topic: p.topic, Partition: p.partition, Member: owners[p]}
		at, isCommitted := committed[p]
		end, exists := ends[p]
		if isCommitted {
			o.Committed = &at
		}
		if exists {
			o.End = &end
		}
		if isCommitted && exists {
			lag := max(end-at, 0)
			o.Lag = &lag
			total += lag
		}
		// An empty partition has nothing to be behind of.
		complete = complete && (o.Lag != nil || exists && end == 0)
		g.Offsets = append(g.Offsets, o)
	}
	if complete {
		g.Lag = &total
	}
	return nil
}

func (p tp) compare(q tp) int {
	return cmp.Or(cmp.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition))
}

func (p tp) String() string { return fmt.Sprintf("%s:%d", p.topic, p.partition) }

func (g *describedGroup) write(w io.Writer) error {
	fmt.Fprintf(w, "group %s  type %s  state %s  assignor %s  members %d  lag %v\n",
		g.Group, g.Type, g.State, cmp.Or(g.Assignor, "-"), len(g.Members), known(g.Lag))
	if len(g.Members) > 0 {
		table := render.NewTable("MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS")
		for _, m := range g.Members {
			table.Row(m.Member, cmp.Or(m.Instance, "-"), m.Client, m.Host, len(m.assigned))
		}
		if err := table.Write(w); err != nil {
			return err
		}
	}
	if len(g.Offsets) == 0 {
		return nil
	}
	table := render.NewTable("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER")
	for _, o := range g.Offsets {
		table.Row(o.Topic, o.Partition, known(o.Committed), known(o.End), known(o.Lag), cmp.Or(o.Member, "-"))
	}
	return table.Write(w)
}

// known is a number, or "-" where there is none.
func known(n *int64) any {
	if n == nil {
		return "-"
	}
	return *n
}
