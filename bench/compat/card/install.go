package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const installTimeMax = 10 * time.Minute

// plug is one client as an install program tells of it.
type plug struct {
	Client        string   `json:"client"`
	Version       string   `json:"version"`
	Command       []string `json:"command"`
	Members       bool     `json:"members"`
	MembersAbsent string   `json:"members_absent"`
	Missing       string   `json:"missing"`
	Table         string   `json:"table"`
	Heavy         bool     `json:"heavy"`
	Drops         bool     `json:"drops"`
}

func (p plug) name() string { return p.Client + " " + p.Version }

// installAll asks every folder of drivers, in the order of their names.
func installAll(ctx context.Context, o options) ([]plug, error) {
	programs, err := filepath.Glob(filepath.Join(o.root, "*", "install"))
	if err != nil {
		return nil, err
	}
	var all []plug
	for _, program := range programs {
		plugs, err := install(ctx, program, o.cache)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		for _, p := range plugs {
			if o.only.MatchString(p.name()) {
				all = append(all, p)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no client in %s matches", o.root)
	}
	return all, nil
}

func install(ctx context.Context, program, cache string) ([]plug, error) {
	ctx, cancel := context.WithTimeout(ctx, installTimeMax)
	defer cancel()
	begun := time.Now()
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, cache)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var plugs []plug
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var p plug
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		if p.Table == "" {
			p.Table = "clients"
		}
		if p.Missing != "" {
			progress("%s is not run: %s", p.name(), p.Missing)
		}
		plugs = append(plugs, p)
	}
	progress("%s: %d clients in %s", filepath.Base(filepath.Dir(program)), len(plugs),
		time.Since(begun).Round(time.Millisecond))
	return plugs, nil
}
