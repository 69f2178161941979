package footprint

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const mapsPath = "/proc/self/smaps"

// mapping is one stretch of the process's memory as the kernel describes it.
type mapping struct {
	from, to uintptr
	file     string
	// clean: read-only, private and without a page of its own. Relocated constants (RELRO) are mapped
	// read-only too, but hold pages that were written before: dropping those would lose them.
	clean bool
}

// ReleaseStartPages drops the clean pages of the process's own binary. What is needed again comes back
// from the page cache, one minor fault for 64 KiB.
func ReleaseStartPages() error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	raw, err := os.ReadFile(mapsPath)
	if err != nil {
		return fmt.Errorf("read memory map: %w", err)
	}
	for _, m := range mappings(raw) {
		if !m.clean || m.file != binary {
			continue
		}
		// unix.Madvise takes a slice, and these bytes are no Go memory.
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
		if errno != 0 {
			return fmt.Errorf("give back pages at %x: %w", m.from, errno)
		}
	}
	return nil
}

// mappings parses smaps: a line of bounds, permissions and file, then lines of figures in KiB.
func mappings(smaps []byte) []mapping {
	var all []mapping
	lines := bufio.NewScanner(bytes.NewReader(smaps))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		if name, isFigure := strings.CutSuffix(fields[0], ":"); isFigure {
			if n := len(all); name == "Anonymous" && fields[1] != "0" && n > 0 {
				all[n-1].clean = false
			}
			continue
		}
		m, ok := parseBounds(fields)
		if ok {
			all = append(all, m)
		}
	}
	return all
}

func parseBounds(fields []string) (mapping, bool) {
	low, high, found := strings.Cut(fields[0], "-")
	begin, err := strconv.ParseUint(low, 16, 64)
	end, endErr := strconv.ParseUint(high, 16, 64)
	if !found || err != nil || endErr != nil || begin >= end {
		return mapping{}, false
	}
	m := mapping{from: uintptr(begin), to: uintptr(end)}
	if len(fields) >= 6 {
		m.file = fields[5]
	}
	permissions := fields[1]
	m.clean = !strings.Contains(permissions, "w") && strings.HasSuffix(permissions, "p")
	return m, true
}
