package footprint

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func residentFilePages(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skip("this kernel does not tell resident file pages")
	return 0
}

func TestStartPagesAreGivenBack(t *testing.T) {
	before := residentFilePages(t)
	if err := ReleaseStartPages(); err != nil {
		t.Fatal(err)
	}
	if after := residentFilePages(t); after >= before {
		t.Fatalf("%d KiB of file pages resident before, %d after", before, after)
	}
}

// Relocated constants are mapped read-only after the loader has written them. Dropping them would give
// the process the bytes of the file back.
func TestOnlyCleanMappingsAreDropped(t *testing.T) {
	for smaps, want := range map[string]bool{
		"00400000-00a9a000 r--p 00000000 08:01 12 /usr/bin/varve\nRss: 8 kB\nAnonymous: 0 kB\n": true,
		"00a9a000-048a8000 r-xp 0069a000 08:01 12 /usr/bin/varve\nRss: 8 kB\nAnonymous: 0 kB\n": true,
		"071c2000-07241000 r--p 06dc1000 08:01 12 /usr/bin/varve\nRss: 8 kB\nAnonymous: 8 kB\n": false,
		"07241000-0735d000 rw-p 06e40000 08:01 12 /usr/bin/varve\nRss: 8 kB\nAnonymous: 0 kB\n": false,
		"00a9a000-048a8000 r-xs 0069a000 08:01 12 /usr/bin/varve\nRss: 8 kB\nAnonymous: 0 kB\n": false,
	} {
		got := mappings([]byte(smaps))
		if len(got) != 1 || got[0].clean != want || got[0].file != "/usr/bin/varve" {
			t.Errorf("%s: %+v, want clean=%v", smaps, got, want)
		}
	}
}
