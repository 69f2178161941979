package lint

import (
	"go/ast"
	"strings"
	"testing"
)

// banned calls, by package and name, with where they may stand and why not elsewhere.
var banned = []struct {
	pkg, name string
	allowed   func(source) bool
	why       string
}{
	{"time", "Sleep", inBubbles, "wait for the event, with testing/synctest, or on a timer with a context"},
	{"os", "Exit", inCommands, "return an error: only a command's main ends the process"},
	{"log", "", isTest, "log through the *slog.Logger that was passed in"},
	{"fmt", "Println", inCommandsOrTests, "a library does not print"},
	{"fmt", "Printf", inCommandsOrTests, "a library does not print"},
	{"fmt", "Print", inCommandsOrTests, "a library does not print"},
	{"slog", "Default", inCommandsOrTests, "log through the *slog.Logger that was passed in"},
	{"context", "TODO", never, "say which context it is"},
}

func never(source) bool { return false }

// inBubbles are tests under synthetic time, where sleeping costs nothing and orders goroutines.
func inBubbles(s source) bool { return s.isTest() && importNames(s)["synctest"] }

func isTest(s source) bool { return s.isTest() }

func inCommands(s source) bool {
	return s.file.Name.Name == "main" || strings.HasSuffix(s.path, "main_test.go") || s.isTest()
}

func inCommandsOrTests(s source) bool { return s.isTest() || s.file.Name.Name == "main" }

func TestBannedCalls(t *testing.T) {
	for _, s := range tree(t) {
		names := importNames(s)
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, b := range banned {
				if names[pkg.Name] && pkg.Name == b.pkg && (b.name == "" || b.name == selector.Sel.Name) &&
					!b.allowed(s) {
					t.Errorf("%s: %s.%s: %s", fileSet.Position(call.Pos()), pkg.Name,
						selector.Sel.Name, b.why)
				}
			}
			return true
		})
	}
}

// importNames are the names under which a file knows the packages it imports.
func importNames(s source) map[string]bool {
	names := map[string]bool{}
	for _, imported := range s.file.Imports {
		path := strings.Trim(imported.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if imported.Name != nil {
			name = imported.Name.Name
		}
		names[name] = true
	}
	return names
}
