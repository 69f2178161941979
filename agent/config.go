package agent

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/varve-log/varve/kafka/settings"
)

// Config says how an agent starts. DefaultConfig is a working single agent.
type Config struct {
	// AgentID is this agent's id in the cluster, Kafka's broker id. 0 or more; default 1.
	AgentID int32
	// Rack is shown to clients; empty for none.
	Rack string
	// Listen is the address of the Kafka listener. Default 127.0.0.1:9092; port 0 picks one.
	Listen string
	// Advertise is the host:port that clients are told to connect to. Default: Listen's.
	Advertise string
	// HTTP is the address for metrics, health and sealing; empty: none. Default 127.0.0.1:9093.
	HTTP string
	// DataDir holds the hot logs. Default varve-data/agent.
	DataDir string
	// Store is the URL of the bucket. Default: the directory varve-data/bucket.
	Store string
	// LocalBytesMax bounds the hot logs on local disk: beyond it produce is refused with a retriable
	// error until segments are sealed and released. Bytes; 0: no bound. Default 0.
	LocalBytesMax int64
	// CacheBytesMax bounds the local cache of sealed ranges. Bytes, 0 for none. Default 1 GiB.
	CacheBytesMax int64
	// StopSealTimeMax bounds how long a graceful stop seals what no other replica holds. Default
	// 30 s; 0 seals nothing.
	StopSealTimeMax time.Duration
	// SweepInterval is how often garbage in the bucket is swept; 0: never. Default 1 h.
	SweepInterval time.Duration
	// SweepGrace is how long an object stays after nothing refers to it (V7). Default 1 h; at least
	// as long as the slowest reader works on one listing.
	SweepGrace time.Duration
	// TakeOver replaces another data directory that had the agent id, did not stop in order and does
	// not answer, without waiting for it: the operator knows that it is gone.
	TakeOver bool
	// Settings are agent settings by Kafka's names, such as num.partitions.
	Settings map[string]string
}

// DefaultConfig is a single agent on loopback with its bucket in a local directory.
func DefaultConfig() Config {
	return Config{
		AgentID:         1,
		Listen:          "127.0.0.1:9092",
		HTTP:            "127.0.0.1:9093",
		DataDir:         filepath.Join("varve-data", "agent"),
		CacheBytesMax:   1 << 30,
		StopSealTimeMax: 30 * time.Second,
		SweepInterval:   time.Hour,
		SweepGrace:      time.Hour,
	}
}

// Validate names the field that cannot be.
func (c Config) Validate() error {
	if c.AgentID < 0 {
		return fmt.Errorf("agent id %d: must be 0 or more", c.AgentID)
	}
	if c.DataDir == "" {
		return errors.New("data directory: must not be empty")
	}
	for _, a := range []struct{ name, address string }{
		{"listen", c.Listen}, {"advertise", c.Advertise}, {"http", c.HTTP},
	} {
		if a.address == "" && a.name != "listen" {
			continue
		}
		if _, _, err := splitAddress(a.address); err != nil {
			return fmt.Errorf("%s address %q: %w; give HOST:PORT", a.name, a.address, err)
		}
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"local disk limit", c.LocalBytesMax},
		{"cache size", c.CacheBytesMax},
		{"time to seal at a stop", int64(c.StopSealTimeMax)},
		{"sweep interval", int64(c.SweepInterval)},
		{"sweep grace", int64(c.SweepGrace)},
	} {
		if n.value < 0 {
			return fmt.Errorf("%s is %d: must be 0 or more", n.name, n.value)
		}
	}
	return settings.ValidateAgent(maps.Clone(c.Settings))
}

// storeURL is Store, or the local directory beside the data directory's default.
func (c Config) storeURL() (string, error) {
	if c.Store != "" {
		return c.Store, nil
	}
	dir, err := filepath.Abs(filepath.Join("varve-data", "bucket"))
	if err != nil {
		return "", fmt.Errorf("find the default bucket directory: %w", err)
	}
	return "file://" + filepath.ToSlash(dir), nil
}

// advertised is where clients are told to connect, given where the listener ended up. A listener on
// all addresses advertises loopback unless told otherwise: a client elsewhere needs Advertise.
func (c Config) advertised(bound net.Addr) (string, int32, error) {
	if c.Advertise != "" {
		return splitAddress(c.Advertise)
	}
	host, port, err := splitAddress(bound.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return host, port, err
}

func splitAddress(address string) (string, int32, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q: want a number up to 65535", portText)
	}
	return host, int32(port), nil
}
