package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// app is the command line with the streams it talks to.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// interactive: stdin and stderr are terminals, so that a question can be asked.
	interactive bool
	// progress: stderr is a terminal, so that a progress bar can be drawn.
	progress bool
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		interactive: isTerminal(stdin) && isTerminal(stderr),
		progress:    isTerminal(stderr),
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run executes args, the program's name first, and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	err := a.root().Run(ctx, args)
	if err == nil {
		return exitOK
	}
	var usage *usageError
	if errors.As(err, &usage) {
		usage.print(a.stderr)
		return exitUsage
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(a.stderr, "varve: interrupted")
		return exitFailure
	}
	fmt.Fprintf(a.stderr, "varve: %v\n", err)
	return exitFailure
}

// root builds the tree of commands anew: flags keep their values, so a tree serves one run.
func (a *app) root() *cli.Command {
	root := noun("varve", "a Kafka-compatible log service on object storage",
		a.agentCommand(),
		a.topicCommand(),
		a.groupCommand(),
		a.produceCommand(),
		a.consumeCommand(),
		a.replayCommand(),
		a.queryCommand(),
		a.catalogCommand(),
		a.benchCommand(),
		a.versionCommand(),
	)
	root.Version = buildVersion()
	root.HideVersion = true
	root.Writer, root.ErrWriter = a.stdout, a.stderr
	root.Reader = a.stdin
	example(root, `varve agent
varve topic create flights --partitions 6
varve query --store file:///var/lib/varve/store "SELECT count(*) FROM flights"`)
	adopt(root)
	// The library has these as variables of the package only.
	cli.FlagStringer, cli.SubcommandHelpTemplate = flagText, helpTemplate
	return root
}

// noun is a command that only groups others.
func noun(name, usage string, verbs ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, Commands: verbs,
		Action: func(_ context.Context, cmd *cli.Command) error {
			if !cmd.Args().Present() {
				return usagef(cmd, "%s needs a command: %s", verbPath(cmd), verbNames(cmd))
			}
			return unknownCommand(cmd, cmd.Args().First())
		},
	}
}

// example sets the lines shown under EXAMPLES; every command has some.
func example(cmd *cli.Command, lines string) *cli.Command {
	cmd.Metadata = map[string]any{"example": lines}
	return cmd
}

// adopt gives every command of the tree the house's help and handling of errors.
func adopt(cmd *cli.Command) {
	cmd.CustomHelpTemplate = helpTemplate
	cmd.CustomRootCommandHelpTemplate = helpTemplate
	cmd.HideHelpCommand = true
	cmd.DisableSliceFlagSeparator = true // settings such as cleanup.policy hold commas
	cmd.OnUsageError = func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
		return asUsageError(cmd, err)
	}
	cmd.ExitErrHandler = func(context.Context, *cli.Command, error) {}
	for _, sub := range cmd.Commands {
		adopt(sub)
	}
}

// flagText is a flag's line in a help page: names and placeholder, a tab, what it is.
func flagText(f cli.Flag) string {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	names := f.Names()
	text := "--" + names[0]
	for _, short := range names[1:] {
		text = "-" + short + ", " + text
	}
	if _, rest, found := strings.Cut(doc.GetUsage(), "`"); found {
		placeholder, _, _ := strings.Cut(rest, "`")
		text += " " + placeholder
	}
	text += "\t" + strings.ReplaceAll(doc.GetUsage(), "`", "")
	if value := defaultText(doc); value != "" {
		text += " (default: " + value + ")"
	}
	if env := doc.GetEnvVars(); len(env) > 0 {
		text += " [$" + strings.Join(env, ", $") + "]"
	}
	return text
}

// defaultText is a flag's default where it says anything.
func defaultText(f cli.DocGenerationFlag) string {
	if !f.TakesValue() {
		return ""
	}
	if text := f.GetDefaultText(); text != "" {
		return strings.Trim(text, `"`)
	}
	switch value := strings.Trim(f.GetValue(), `"`); value {
	case "0", "0s", "-1", "[]":
		return ""
	default:
		return value
	}
}

// helpTemplate is one page for roots, nouns and verbs alike.
const helpTemplate = `{{.FullName}} - {{.Usage}}

USAGE
   {{if .Commands}}{{.FullName}} COMMAND [options]{{else}}{{.FullName}}` +
	`{{if .ArgsUsage}} {{.ArgsUsage}}{{end}} [options]{{end}}
{{if .Description}}
{{.Description}}
{{end}}{{if .VisibleCommands}}
COMMANDS{{range .VisibleCommands}}
   {{printf "%-10s" .Name}} {{.Usage}}{{end}}
{{end}}{{if .VisibleFlags}}
OPTIONS{{range .VisibleFlags}}
   {{.}}{{end}}
{{end}}{{with index .Metadata "example"}}
EXAMPLES
{{indent 3 .}}
{{end}}`
