// Package keys decides which records of a compacted log survive: it rewrites a stream of batches so
// that of every key only the last record is left.
//
// agent/hotlog cleans segments with it, and checkpoints of compacted topics are made with it. It
// calls kafka/record for batches. It is pure: a caller feeds batches and gets batches.
//
// Two passes over the same batches, in the order of their offsets, of a range that lies below the
// last stable offset:
//
//	m := keys.NewMap(bytesMax)
//	x := keys.NewIndexer(m, from, abortedIn(range), limits)
//	for each batch { full, err := x.Add(b); if full { break } }
//	if all were added { m.Reach(next) }  // the range's end
//	f := keys.NewFilter(keys.Options{Map: m, Now: now, Aborted: abortedIn(range), ...})
//	for each batch { out, err = f.Append(out, b, last) }  // none or one batch
//
// Records at or above m.End() are kept whatever their key is, so a full map cleans as far as it
// reaches, and the next round begins there. The first pass may leave out what an earlier round has
// cleaned (from is its end); the second begins at the log's start.
//
// # What survives
//
// As in Kafka: the last value of each key; the last tombstone until the batch's delete horizon,
// which the first cleaning that meets it sets (KIP-534); nothing of an aborted transaction; a
// transaction's marker until nothing is left of its records, and a delete horizon longer; the last
// batch of each live producer, without its records if need be; what has a null key does not.
//
// Invariants: V2 (batches keep base and last offset), V10 (memory is the Map's bound, half as much
// again while it grows, and one inflated batch).
//
// Concurrency: a value belongs to one goroutine.
//
// Failure: errors are those of kafka/record; nothing was appended then.
package keys
