// Package open turns a `--store` URL into an objstore.Store.
//
// The URLs are `file:///dir`, `mem://name`, `s3://bucket/prefix?region=&endpoint=&path_style=` (by
// aws-sdk-go-v2) and `minio://host:port/bucket/prefix?tls=&region=` (by minio-go). Credentials come
// only by the SDKs' usual chains: environment, shared files, the machine's role. A URL with user
// info is refused, since URLs end up in logs. So are parameters that nobody reads.
//
// Commands and the agent call it once at start. It is the only package that links every store, so
// that whoever needs just the interface does not link the SDKs.
//
// # Failure
//
// Every error names the URL, what is wrong with it, and what to do. Opening s3 and minio asks the
// store once whether the bucket is there: an unreachable store or a missing bucket shows here and
// not in the middle of work.
//
// # Not here
//
// Whether the store honours conditions (objstore.Probe).
package open
