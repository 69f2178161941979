package agent

import (
	"context"
	"errors"

	logclean "github.com/varve-log/varve/agent/clean"
	"github.com/varve-log/varve/kafka/settings"
)

// startCleaning cleans the logs of compacted topics until the agent stops.
func (a *Agent) startCleaning() {
	cleaner := logclean.New(logclean.Deps{
		Logs: a.openLogs, Settings: a.cleanerSettings, Logger: a.logger, Registerer: a.registry,
	})
	a.workers.Go(func() error {
		if err := cleaner.Run(a.running); err != nil && !errors.Is(err, context.Canceled) {
			a.fail(err)
		}
		return nil
	})
}

// openLogs are the partitions that are open now.
func (a *Agent) openLogs() []logclean.Log {
	open := a.topology.Load().open
	logs := make([]logclean.Log, 0, len(open))
	for _, p := range open {
		logs = append(logs, p)
	}
	return logs
}

// cleanerSettings are those in force now. log.cleaner.enable is read at the start.
func (a *Agent) cleanerSettings() settings.Cleaner {
	s := a.topology.Load().settings.Cleaner
	if a.with.cleanBackoff > 0 {
		s.Backoff = a.with.cleanBackoff
	}
	return s
}
