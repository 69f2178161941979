package group

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/group/assignor"
)

// Migration says how groups may change between the classic and the consumer protocol while they have
// members (group.consumer.migration.policy).
type Migration string

// The policies.
const (
	MigrateBoth      Migration = "bidirectional"
	MigrateUpgrade   Migration = "upgrade"
	MigrateDowngrade Migration = "downgrade"
	MigrateDisabled  Migration = "disabled"
)

func (m Migration) upgrades() bool   { return m == MigrateBoth || m == MigrateUpgrade }
func (m Migration) downgrades() bool { return m == MigrateBoth || m == MigrateDowngrade }

// ConsumerConfig holds what groups of the consumer protocol are bounded by.
type ConsumerConfig struct {
	// SessionTimeout is after how long without a heartbeat a member is taken for gone. Default 45 s.
	SessionTimeout time.Duration
	// HeartbeatInterval is what members are told. Default 5 s, less than SessionTimeout.
	HeartbeatInterval time.Duration
	// MembersMax bounds the members of a group. Default 2^31-1, at least 1.
	MembersMax int
	// Assignors are the server-side assignors that may be used; the first is the default.
	Assignors []string
	// Migration defaults to MigrateBoth.
	Migration Migration
	// AssignmentInterval is the least time between two targets of a group. Default 1 s, not negative.
	AssignmentInterval time.Duration
	// RegexRefresh is how long at most regular expressions are not held against the topics anew.
	// Default 10 min, at least 10 s.
	RegexRefresh time.Duration
	// Of, if not nil, gives the same with a group's own settings: SessionTimeout, HeartbeatInterval and
	// AssignmentInterval of it count. It answers from memory.
	Of func(group string) ConsumerConfig
}

// of is what counts for a group.
func (c *ConsumerConfig) of(group string) *ConsumerConfig {
	if c.Of == nil {
		return c
	}
	own := c.Of(group)
	return &own
}

// regexRefreshMin is how often at most all regular expressions of a group are held against the topics.
const regexRefreshMin = 10 * time.Second

// DefaultConsumerConfig gives Kafka's defaults.
func DefaultConsumerConfig() ConsumerConfig {
	return ConsumerConfig{
		SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second, MembersMax: math.MaxInt32,
		Assignors: assignor.Names(), Migration: MigrateBoth, AssignmentInterval: time.Second,
		RegexRefresh: 10 * time.Minute,
	}
}

// Validate names the first field that is out of bounds.
func (c ConsumerConfig) Validate() error {
	known := func(name string) bool { return assignor.Named(name) != nil }
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"HeartbeatInterval", c.HeartbeatInterval > 0 && c.HeartbeatInterval < c.SessionTimeout},
		{"MembersMax", c.MembersMax >= 1},
		{"Assignors", len(c.Assignors) > 0 && !slices.ContainsFunc(c.Assignors, func(name string) bool {
			return !known(name)
		})},
		{"Migration", slices.Contains(
			[]Migration{MigrateBoth, MigrateUpgrade, MigrateDowngrade, MigrateDisabled}, c.Migration)},
		{"AssignmentInterval", c.AssignmentInterval >= 0},
		{"RegexRefresh", c.RegexRefresh >= regexRefreshMin},
	} {
		if !f.ok {
			return fmt.Errorf("config of consumer groups: %s is out of bounds", f.name)
		}
	}
	return nil
}
