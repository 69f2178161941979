package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/urfave/cli/v3"
)

// answerBytesMax bounds an answer of the agent's HTTP side.
const answerBytesMax = 256 << 20

// errNotFound: the agent's HTTP side knows no such thing.
var errNotFound = errors.New("not found")

// askAgent calls a route of agent/admin and decodes its JSON into answer.
func askAgent(ctx context.Context, cmd *cli.Command, method, path string, answer any) error {
	address := cmd.String("http")
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, http.NoBody)
	if err != nil {
		return usagef(cmd, "--http %q is not HOST:PORT", address)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the agent's HTTP side does not answer at %s: %w; "+
			"name another address with --http", address, rootCause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, answer); err != nil {
			return fmt.Errorf("%s does not answer as an agent does: %w", address, err)
		}
		return nil
	}
	var refused struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &refused) != nil || refused.Error == "" {
		refused.Error = strings.TrimSpace(resp.Status)
	}
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %s", errNotFound, refused.Error)
	}
	return errors.New(refused.Error)
}
