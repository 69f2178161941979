// Package remote makes an objstore.Store of a Client, which is one S3 SDK reduced to single
// attempts.
//
// Package s3 and package minio are such clients. Everything that decides what a caller may believe
// is here, once: which failures are tried again, what a failed conditional Put proves, how a body
// that broke off is resumed, how a large object is uploaded in parts. The SDKs' own retries are
// off.
//
// # Outcomes
//
// An attempt has been sent from the moment its headers were handed to a connection. A conditional
// Put is tried again only if that attempt surely wrote nothing: it was not sent, or the store
// answered 409 (a concurrent write; the condition was not decided), 429, or that the body did not
// arrive in time. After any other failure without a verdict - a reset, a timeout, any 5xx including
// 503, since a gateway or a quorum answers it after it has begun to write - the outcome is
// ErrUnknownOutcome at once. 412 is ErrConflict, as is 404 to an If-Match: some stores say so of an
// absent key. Unconditional puts, gets, heads, lists and deletes are tried again after any of
// these.
//
// # Bounds
//
// Attempts, resumes, waits, connections, parts in flight: all in Config. A connection on which no
// byte moves for StallTimeout is closed.
//
// # Memory
//
// Bodies are read through io.SectionReader straight into the connection's buffer, and a Get's
// reader is the connection: reads of more than its buffer go from the socket into the caller's
// slice.
//
// # Not here
//
// Requests, signatures, credentials: the clients.
package remote
