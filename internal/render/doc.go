// Package render prints what a command has read: as a table for people, or as JSON for programs.
//
// It is called by cmd/varve and the programs of bench. It calls nothing of Varve.
//
// A table's columns are as wide as their widest cell, numbers are aligned right, and nothing is
// truncated. JSON is one indented document with a final line feed. Sizes and durations for people
// are rounded to three digits with a unit; JSON gets the plain numbers.
//
// Concurrency: a Table belongs to one goroutine.
//
// Not here: the outputs of SQL (query/output) and of replayed records (cmd/varve).
package render
