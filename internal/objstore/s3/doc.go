// Package s3 reaches S3 and its like through aws-sdk-go-v2, as a remote.Client of single attempts.
//
// Credentials and region come by the SDK's usual chain (environment, shared files, roles); Open
// fails with a sentence when there are none. The SDK's retries, its checksums on the way and its
// payload hashing are off where package remote or the caller already do that work: a body is hashed
// once, by the caller.
//
// # Not here
//
// Retries, outcomes, resumed reads, multipart uploads (remote). URLs (open).
package s3
