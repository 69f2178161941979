// Package objstore is the one small interface through which Varve touches a bucket, and its
// implementations: file, mem, s3 (aws-sdk-go-v2), minio (minio-go) and faulty, which wraps any of
// them and fails on demand.
//
// The catalog, tiering, replay and the sweeper call it; it calls the SDKs and the file system.
//
// # Outcomes
//
// A conditional Put ends in one of three ways, and callers must treat each on its own: done (nil),
// surely lost (ErrConflict), or unknown (ErrUnknownOutcome: the reply is missing, the write may have
// happened or may still land later). An SDK's own retry turns a win into a conflict, so
// ErrConflict from one call proves only that the key now holds something else; whoever swaps heads
// looks for its own commit id before it believes that it lost (catalog/register).
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
