package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

func (a *app) topicCommand() *cli.Command {
	return example(noun("topic", "create, look at, change, seal and delete topics",
		a.topicCreateCommand(),
		a.topicListCommand(),
		a.topicDescribeCommand(),
		a.topicAlterCommand(),
		a.topicDeleteCommand(),
		a.topicSealCommand(),
	), "varve topic create flights --partitions 6\nvarve topic describe flights")
}

func configFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name:  "config",
		Usage: "`NAME=VALUE` of a topic setting, Kafka's names; repeat for more",
	}
}

// configsOf reads the repeated --config NAME=VALUE. A value may hold commas.
func configsOf(cmd *cli.Command) ([][2]string, error) {
	var configs [][2]string
	for _, pair := range cmd.StringSlice("config") {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, usagef(cmd, "--config %q is not NAME=VALUE", pair).withHint(
				"such as --config retention.ms=-1")
		}
		configs = append(configs, [2]string{name, value})
	}
	return configs, nil
}

// confirm asks before something is lost. Where nobody can be asked, --yes is wanted.
func (a *app) confirm(cmd *cli.Command, question string) error {
	if cmd.Bool("yes") {
		return nil
	}
	if !a.interactive {
		return usagef(cmd, "%s asks before it deletes, and there is no terminal to ask on",
			verbPath(cmd)).withHint("give --yes if you are sure")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	if err != nil || (answer != "y" && answer != "yes") {
		return fmt.Errorf("not confirmed: nothing was deleted")
	}
	return nil
}
