package lint

import (
	"strings"
	"testing"
)

// layers say what each top-level part may import of ours. The order is that of docs/architecture.md,
// section 3: whoever is used does not know its users.
var layers = []struct {
	part string
	may  []string
	why  string
}{
	{"internal", []string{"internal", "kafka"}, "internal/ are leaves that everybody may use"},
	{"kafka", []string{"kafka"}, "kafka/ is the protocol's vocabulary and knows nothing of Varve"},
	{"segment", []string{"kafka", "internal"}, "the format stands on its own"},
	{
		"catalog",
		[]string{"catalog", "segment", "kafka", "internal"},
		"the catalog says what exists and not how it gets there",
	},
	{
		"tiering",
		[]string{"tiering", "catalog", "segment", "kafka", "internal"},
		"tiering serves agents, replay and query alike",
	},
	{
		"compaction",
		[]string{"compaction", "tiering", "catalog", "segment", "kafka", "internal"},
		"compaction works on the bucket alone",
	},
	{
		"query",
		[]string{"query", "tiering", "catalog", "segment", "kafka", "internal"},
		"queries need the bucket and no agent",
	},
	{
		"agent",
		[]string{"agent", "compaction", "tiering", "catalog", "segment", "kafka", "internal"},
		"an agent never links the query engine",
	},
}

// pure packages are tested by transcripts and simulation: they may not touch the world.
var pure = map[string]bool{
	"catalog/manifest": true, "catalog/cluster": true, "catalog/checkpoint": true, "kafka": true, "kafka/record": true,
	"kafka/settings": true, "agent/group": true, "agent/txn": true, "agent/group/assignor": true,
	"agent/group/reconcile": true, "compaction/keys": true,
}

// worldly are standard packages that a pure package must not import.
var worldly = []string{"os", "net", "net/http", "log/slog", "context", "math/rand", "math/rand/v2"}

func TestImportsRunOneWay(t *testing.T) {
	for _, s := range tree(t) {
		part, _, _ := strings.Cut(s.path, "/")
		for _, layer := range layers {
			if layer.part != part || s.isTest() {
				continue
			}
			for _, imported := range s.file.Imports {
				path := strings.Trim(imported.Path.Value, `"`)
				ours, isOurs := strings.CutPrefix(path, module+"/")
				if !isOurs {
					continue
				}
				to, _, _ := strings.Cut(ours, "/")
				if !contains(layer.may, to) {
					t.Errorf("%s imports %s: %s", s.path, ours, layer.why)
				}
			}
		}
	}
}

func TestPurePackagesDoNotTouchTheWorld(t *testing.T) {
	for _, s := range tree(t) {
		if !pure[s.dir()] || s.isTest() {
			continue
		}
		for _, imported := range s.file.Imports {
			path := strings.Trim(imported.Path.Value, `"`)
			if contains(worldly, path) {
				t.Errorf("%s imports %s: the package is pure, pass the value in", s.path, path)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, each := range list {
		if each == s {
			return true
		}
	}
	return false
}
