// Package minio reaches S3-compatible stores through minio-go, as a remote.Client of single
// attempts: a second, independent reading of the protocol beside package s3.
//
// Credentials come from the environment (AWS_* or MINIO_*), the shared files of both tools, or the
// machine's role. minio-go's retries, its streaming signature and its trailing checksums (which
// versitygw rejects) are off: the caller's CRC32C goes as a plain header.
//
// # Not here
//
// Retries, outcomes, resumed reads, multipart uploads (remote). URLs (open).
package minio
