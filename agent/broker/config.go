package broker

import (
	"fmt"
	"time"
)

// Config holds the listener's limits.
type Config struct {
	// FrameBytesMax is the largest request (Kafka's socket.request.max.bytes). Default 100 MiB,
	// at least 1 KiB.
	FrameBytesMax int32
	// RequestBytesMax bounds the request buffers of all connections together (Kafka's
	// queued.max.request.bytes). Default 512 MiB, at least twice FrameBytesMax.
	RequestBytesMax int64
	// PipelineMax bounds the requests of one connection that are read and not answered. Default
	// 128.
	PipelineMax int
	// ConnectionsMax and ConnectionsPerIPMax bound the open connections (Kafka's max.connections
	// and max.connections.per.ip). Defaults 10,000 and 10,000.
	ConnectionsMax      int
	ConnectionsPerIPMax int
	// IdleMax closes connections without a request for this long (Kafka's connections.max.idle.ms).
	// Default 10 min.
	IdleMax time.Duration
	// FrameTimeMax is how long a begun frame may take to arrive, waiting for buffer space included.
	// Default 30 s.
	FrameTimeMax time.Duration
	// WriteTimeMax is how long one write may wait for the client to read. Default 30 s.
	WriteTimeMax time.Duration
}

// DefaultConfig gives the documented defaults.
func DefaultConfig() Config {
	return Config{
		FrameBytesMax: 100 << 20, RequestBytesMax: 512 << 20, PipelineMax: 128,
		ConnectionsMax: 10_000, ConnectionsPerIPMax: 10_000,
		IdleMax: 10 * time.Minute, FrameTimeMax: 30 * time.Second, WriteTimeMax: 30 * time.Second,
	}
}

// Validate names the first field that is out of bounds.
func (c Config) Validate() error {
	positive := func(name string, v int64) error {
		if v <= 0 {
			return fmt.Errorf("broker config: %s is %d, must be positive", name, v)
		}
		return nil
	}
	switch {
	case c.FrameBytesMax < 1<<10:
		return fmt.Errorf("broker config: FrameBytesMax is %d, must be at least 1024", c.FrameBytesMax)
	case c.RequestBytesMax < 2*int64(c.FrameBytesMax):
		return fmt.Errorf("broker config: RequestBytesMax is %d, must be at least twice "+
			"FrameBytesMax (%d)", c.RequestBytesMax, c.FrameBytesMax)
	}
	for _, f := range []struct {
		name string
		v    int64
	}{
		{"PipelineMax", int64(c.PipelineMax)},
		{"ConnectionsMax", int64(c.ConnectionsMax)},
		{"ConnectionsPerIPMax", int64(c.ConnectionsPerIPMax)},
		{"IdleMax", int64(c.IdleMax)},
		{"FrameTimeMax", int64(c.FrameTimeMax)},
		{"WriteTimeMax", int64(c.WriteTimeMax)},
	} {
		if err := positive(f.name, f.v); err != nil {
			return err
		}
	}
	return nil
}
