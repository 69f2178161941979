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
	"slices"
	"strings"
	"time"
)

const (
	suiteModule  = "github.com/twmb/franz-go"
	suiteTimeMax = 9 * time.Minute
)

// suite runs franz-go's own integration tests from the nested module against a server of their own.
func suite(ctx context.Context, o options) (result, error) {
	s, err := serve(ctx, o, quickMembers...)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	ctx, cancel := context.WithTimeout(ctx, suiteTimeMax)
	defer cancel()
	dir := filepath.Join(o.root, "goclients")
	version, err := exec.CommandContext(
		ctx, "go", "-C", dir, "list", "-m", "-f", "{{.Version}}", suiteModule,
	).Output()
	if err != nil {
		return result{}, fmt.Errorf("franz-go's version: %w", err)
	}
	begun := time.Now()
	cmd := exec.CommandContext(
		ctx, "go", "-C", dir, "test", "-json", "-count=1", "-timeout", "8m", suiteModule+"/pkg/kgo",
	)
	cmd.Env = append(os.Environ(), "KGO_SEEDS="+s.bootstrap, "KGO_TEST_RF=1", "KGO_TEST_RECORDS=20000")
	cmd.Stderr = os.Stderr
	out, runErr := cmd.Output()
	if err := os.WriteFile(filepath.Join(o.cache, "franz-suite.json"), out, 0o644); err != nil {
		return result{}, err
	}
	pass, skipped, failed := count(out)
	r := result{
		Client: "franz-go", Version: strings.TrimPrefix(
			strings.TrimSpace(string(version)), "v",
		), table: "suites",
		Scenario: "integration", Result: "pass", Millis: time.Since(begun).Milliseconds(),
		Detail: fmt.Sprintf("%d pass, %d skipped, %d fail", pass, len(skipped), len(failed)),
	}
	slices.Sort(skipped)
	progress("%s; skipped: %s; %s", r, strings.Join(skipped, " "), time.Since(begun).Round(time.Second))
	if runErr != nil || len(failed) > 0 || pass == 0 {
		r.Result = "fail"
		r.Detail += fmt.Sprintf(" (%s) %v", strings.Join(failed, " "), runErr)
	}
	return r, nil
}

// count reads the lines of go test -json. Tests within tests count with the one that holds them.
func count(out []byte) (pass int, skipped, failed []string) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" || strings.Contains(e.Test, "/") {
			continue
		}
		switch e.Action {
		case "pass":
			pass++
		case "skip":
			skipped = append(skipped, e.Test)
		case "fail":
			failed = append(failed, e.Test)
		}
	}
	return pass, skipped, failed
}
