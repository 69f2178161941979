package replay

import (
	"fmt"

	"github.com/varve-log/varve/kafka"
)

const (
	chunkBytesMin = 64 << 10
	chunkBytesMax = 64 << 20
	parallelMax   = 256
)

// Config bounds a Reader.
type Config struct {
	// ChunkBytes is the size of a ranged GET, 64 KiB to 64 MiB. Default 8 MiB.
	ChunkBytes int
	// Parallel is how many GETs an iterator has under way at once, 1 to 256. It holds twice as many
	// chunks, and two. Default 4.
	Parallel int
	// SpareChunks is how many chunks of memory the Reader keeps for the next iterator instead of
	// giving them to the garbage collector, up to ten seconds after the last iterator. Default 10.
	SpareChunks int
}

// DefaultConfig suits one reader of much data: 8 MiB in 4 GETs at once.
func DefaultConfig() Config { return Config{ChunkBytes: 8 << 20, Parallel: 4, SpareChunks: 10} }

// Validate names the field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.ChunkBytes < chunkBytesMin || c.ChunkBytes > chunkBytesMax:
		return fmt.Errorf("replay: ChunkBytes is %d; want %d to %d",
			c.ChunkBytes, chunkBytesMin, chunkBytesMax)
	case c.Parallel < 1 || c.Parallel > parallelMax:
		return fmt.Errorf("replay: Parallel is %d; want 1 to %d", c.Parallel, parallelMax)
	case c.SpareChunks < 0:
		return fmt.Errorf("replay: SpareChunks is %d; want 0 or more", c.SpareChunks)
	}
	return nil
}

// Options say what an iterator reads. The zero value reads all that is sealed.
type Options struct {
	// From is the first offset wanted. Below the log start offset it means the log start offset.
	From kafka.Offset
	// To is exclusive; 0, a negative value or one above it mean the sealed end as of Open.
	To kafka.Offset
	// Parallel overrides Config.Parallel where it is not 0.
	Parallel int
	// SkipCorrupt passes over what is corrupt or missing and counts it in Iterator.Skipped.
	SkipCorrupt bool
}

// Skip is a range that could not be read and was passed over.
type Skip struct {
	Object  string // key; empty: a gap in the manifest
	Offsets kafka.OffsetRange
	Err     error // *CorruptError or *MissingError
}
