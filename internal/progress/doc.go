// Package progress draws one line on a terminal while long work runs: how much is done, how fast, and
// how long it will still take.
//
// It is called by cmd/varve. It calls nothing of Varve.
//
// The worker only adds to counters; a goroutine of the bar redraws a few times a second and Done
// erases the line, so that what is printed next starts at a clean line's start. A bar made for
// anything but a terminal draws nothing and costs two atomic additions.
//
// The rate shown is that of the last few seconds; the time left follows from it, and is shown only
// when the total is known.
//
// Concurrency: Add may be called by any number of goroutines; Done once, by the owner.
package progress
