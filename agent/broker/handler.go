package broker

import (
	"context"
	"time"
)

// API is one API key with the versions that work.
type API struct {
	Key, Min, Max int16
	// FlexibleFrom is the first version with flexible headers (KIP-482); negative: none has.
	FlexibleFrom int16
	// Name labels metrics and logs.
	Name string
}

// Handler answers requests.
type Handler interface {
	// APIs lists what Handle understands. A request of another key or version closes its connection, as
	// Kafka does, except an ApiVersions request of an unknown version, which is passed on to Handle so
	// that it is answered in version 0.
	APIs() []API
	// Handle must see to it that exactly one of r's Respond, RespondParts, NoResponse and Close is
	// called, now or later. ctx ends with the connection. Handle is called in the order of the
	// connection's requests, on its reading goroutine: while it runs no further request is read.
	Handle(ctx context.Context, r *Request)
}

// Request is one request. It and its Body belong to the handler until one of Respond, RespondParts,
// NoResponse and Close is called.
type Request struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      string
	// Body follows the header. It lies in a pooled buffer: nothing of it may be kept.
	Body []byte
	// Received is when the whole frame was there.
	Received time.Time
}
