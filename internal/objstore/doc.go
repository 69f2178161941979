// Package objstore is the one small interface through which Varve touches a bucket, and its
// implementations: file, mem, s3 (aws-sdk-go-v2), minio (minio-go) and faulty, which wraps any of
// them and fails on demand.
//
// The catalog, tiering, replay and the sweeper call it; it calls the SDKs and the file system.
//
// Which subpackage does what: mem and file keep objects in this process or directory; s3 and minio
// each wrap one SDK as a client of single attempts, and remote gives those two their shared
// retries, outcomes, resumed reads and multipart uploads; faulty fails on demand; metered counts;
// open turns a URL into a Store; objstoretest is the suite that every implementation passes.
//
// # Outcomes
//
// A conditional Put ends in one of three ways, and callers must treat each on its own: done (nil),
// surely lost (ErrConflict), or unknown (ErrUnknownOutcome: the reply is missing, the write may
// have happened or may still land later). The stores here never repeat a conditional Put that may
// have been written. A proxy between may, and its retry turns a win into a conflict: so whoever
// swaps heads looks for its own commit id before it believes that it lost (catalog/register). Any
// other error of a conditional Put (ErrUnavailable, ErrDenied, ErrChecksum) means that nothing was
// written.
//
// # Concurrency
//
// Every Store is safe for concurrent use. Open files and connections are bounded by each
// implementation's config.
//
// # Not here
//
// Heads and commit ids (catalog/register), caching of ranges (tiering/cache).
package objstore
