package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
)

// version is set by the linker for releases; otherwise the build's own record is shown.
var version string

type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) versionCommand() *cli.Command {
	return example(&cli.Command{
		Name: "version", Usage: "print what this binary was built from",
		Flags: []cli.Flag{outputFlag("text", "json")},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if _, err := arguments(cmd); err != nil {
				return err
			}
			output, err := outputOf(cmd, "text", "json")
			if err != nil {
				return err
			}
			info := readVersion()
			if output == "json" {
				return render.JSON(a.stdout, info)
			}
			_, err = fmt.Fprintf(a.stdout, "varve %s (commit %s, %s, %s)\n",
				info.Version, info.Commit, info.Go, info.Platform)
			return err
		},
	}, "varve version -o json")
}

func buildVersion() string { return readVersion().Version }

func readVersion() versionInfo {
	info := versionInfo{
		Version: version, Commit: "unknown", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	if info.Version == "" {
		info.Version = build.Main.Version
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}
