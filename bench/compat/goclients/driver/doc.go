// Package driver runs the written scenarios of the report card (../../README.md) with one client
// library: it reads the arguments, walks the steps, compares what comes back, and prints a JSON line
// for each scenario.
//
// A library takes part by implementing Client (and Transactional, Admin where it has such calls) in
// a main package beside this one, which does nothing but translate. The steps and their measure
// stand here once, so that no client is treated more kindly than another.
//
// Errors. A method of a library that has no such call returns Absent with a few words: the scenario
// goes on without the step and names it, or is absent as a whole. Every other error fails the
// scenario. Faults of the server that a step expects are told by Code, which each client maps from
// its own errors.
//
// Not here: groups, whose members only print what they see (Events), and which the runner judges.
package driver
