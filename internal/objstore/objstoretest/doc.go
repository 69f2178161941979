// Package objstoretest is the suite of tests that every objstore.Store must pass, so that the rest
// of Varve can be tested on one store and run on any.
//
// An implementation runs it in three lines:
//
//	func TestConformance(t *testing.T) {
//		objstoretest.Run(t, func(t *testing.T) objstore.Store { return mem.New() })
//	}
//
// The function is called once for each test and gives a store, or a prefix of one, that is empty
// and that nobody else uses. Suite has the knobs: what a store is known not to keep, and how long
// the races go on.
//
// # Not here
//
// Crashes, races between processes, and what is particular to one store: beside that store's code.
package objstoretest
