package api

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// apiRow is a line of the document's table of APIs: | 0 | Produce | 0-13 | notes |.
var apiRow = regexp.MustCompile(`(?m)^\| (\d+) \| (\w+) \| (\d+)-(\d+) \|`)

func TestDocumentListsTheVersions(t *testing.T) {
	text, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[string]string)
	for _, m := range apiRow.FindAllStringSubmatch(string(text), -1) {
		told[m[1]] = fmt.Sprintf("%s %s-%s", m[2], m[3], m[4])
	}
	for _, e := range allEndpoints() {
		key := strconv.Itoa(int(e.key))
		name := kmsg.NameForKey(e.key)
		if e.key == 45 {
			name = "AlterPartitionReassignments" // kmsg has a name of its own
		}
		want := fmt.Sprintf("%s %d-%d", name, e.min, e.max)
		if !strings.EqualFold(told[key], want) { // kmsg spells ID, Kafka Id
			t.Errorf("docs/compatibility.md: key %s is %q, want %q", key, told[key], want)
		}
		delete(told, key)
	}
	for key, what := range told {
		t.Errorf("docs/compatibility.md: key %s, %s, is not advertised", key, what)
	}
}
