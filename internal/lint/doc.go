// Package lint holds the house rules as plain tests, so that `go test ./...` keeps them and says why.
//
// It parses every Go file of the module, tests included, and checks: the one direction of imports
// (docs/architecture.md, section 3), that each package says what it is, the length of files, functions
// and lines, the number of parameters, that exported names carry a comment, and that banned calls stay
// out. There is nothing to import here; the rules are in the tests beside this file.
//
// A rule that has to bend gets an entry with its reason in exceptions_test.go, and an entry that is no
// longer needed fails, so that the list only shrinks.
//
// Not here: formatting (gofumpt), vet and staticcheck, which `make lint` runs as tools.
package lint
