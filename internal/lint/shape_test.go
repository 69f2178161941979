package lint

import (
	"go/ast"
	"strings"
	"testing"
	"unicode/utf8"
)

// Limits of the house style.
const (
	fileLinesMax     = 500
	fileLinesHardMax = 800
	functionLinesMax = 70
	// tableLinesMax is for test functions, where most lines are cases.
	tableLinesMax = 200
	// lineRunesMax counts a tab as one. 100 are aimed at.
	lineRunesMax    = 105
	parametersMax   = 5
	packageLinesMin = 4
)

func TestFilesAreShort(t *testing.T) {
	reasons := allow(longFiles)
	for _, s := range tree(t) {
		n := s.lines()
		if n > fileLinesHardMax {
			t.Errorf("%s has %d lines, at most %d: split it", s.path, n, fileLinesHardMax)
		} else if n > fileLinesMax && !reasons.has(s.path) {
			t.Errorf("%s has %d lines, over %d it needs a reason in exceptions_test.go",
				s.path, n, fileLinesMax)
		}
	}
	reasons.checkStale(t)
}

func TestFunctionsAreShort(t *testing.T) {
	for _, s := range tree(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			f, ok := n.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				return true
			}
			lines := fileSet.Position(f.End()).Line - fileSet.Position(f.Pos()).Line + 1
			limit := functionLinesMax
			if s.isTest() {
				limit = tableLinesMax
			}
			if lines > limit {
				t.Errorf("%s: %s has %d lines, at most %d", s.path, f.Name, lines, limit)
			}
			if got := f.Type.Params.NumFields(); got > parametersMax {
				t.Errorf("%s: %s has %d parameters, at most %d: group them",
					s.path, f.Name, got, parametersMax)
			}
			return true
		})
	}
}

func TestLinesAreShort(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() {
			continue // tables of cases read better wide
		}
		for i, line := range strings.Split(string(s.text), "\n") {
			n := utf8.RuneCountInString(line)
			if n > lineRunesMax && !strings.Contains(line, "://") {
				t.Errorf("%s:%d has %d characters, at most %d", s.path, i+1, n, lineRunesMax)
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	longest := map[string]int{}
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		n := 0
		if s.file.Doc != nil {
			n = strings.Count(s.file.Doc.Text(), "\n")
		}
		longest[s.dir()] = max(longest[s.dir()], n)
	}
	for dir, n := range longest {
		if n < packageLinesMin {
			t.Errorf("package %s has a comment of %d lines: doc.go says what the noun is, who calls it, "+
				"what its errors mean and what is not here", dir, n)
		}
	}
}

func TestExportedNamesCarryAPromise(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() || s.file.Name.Name == "main" {
			continue
		}
		for _, declaration := range s.file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !selfEvident[d.Name.Name] {
					t.Errorf("%s: %s has no comment", s.path, d.Name)
				}
			case *ast.GenDecl:
				checkGroup(t, s, d)
			}
		}
	}
}

// selfEvident are methods of the standard library's interfaces.
var selfEvident = map[string]bool{
	"Error": true, "Unwrap": true, "String": true, "Len": true, "Less": true, "Swap": true,
}

// exportedReceiver reports whether a function is reachable by its name alone or by an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}

// checkGroup wants a comment at a declaration or at the group that it is in.
func checkGroup(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch v := spec.(type) {
		case *ast.TypeSpec:
			if v.Name.IsExported() && v.Doc == nil && d.Doc == nil {
				t.Errorf("%s: type %s has no comment", s.path, v.Name)
			}
		case *ast.ValueSpec:
			for _, name := range v.Names {
				if name.IsExported() && v.Doc == nil && v.Comment == nil && d.Doc == nil {
					t.Errorf("%s: %s has no comment", s.path, name)
				}
			}
		}
	}
}
