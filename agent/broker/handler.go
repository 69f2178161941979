package broker

import "context"

// API is one API key with the versions that work.
type API struct {
	Key, Min, Max int16
	// FlexibleFrom is the first version with flexible headers (KIP-482); negative: none has.
	FlexibleFrom int16
	// Name labels metrics and logs.
	Name string
	// Blocking says that Handle may wait for the bucket or another agent, so that earlier answers
	// are written before it is called.
	Blocking bool
	// BytesMax bounds the frames of this API below Config.FrameBytesMax; 0: no lower bound.
	BytesMax int32
	// Weight is how many bytes of memory one byte of a frame may become when it is decoded. It
	// multiplies what the frame takes of Config.RequestBytesMax; 0 counts as 1.
	Weight int64
}

// Handler answers requests.
type Handler interface {
	// APIs lists what Handle understands. A request of another key or version closes its
	// connection, as Kafka does, except an ApiVersions request of an unknown version, which is
	// passed on to Handle so that it is answered in version 0.
	APIs() []API
	// Handle must see to it that exactly one of r's Respond, RespondParts, NoResponse and Close is
	// called, now or later. ctx ends with the connection. Handle is called in the order of the
	// connection's requests, on its reading goroutine: while it runs no further request is read.
	Handle(ctx context.Context, r *Request)
}

const (
	apiVersionsKey = 18 // its response header has version 0 always (KIP-511)
	keyMax         = 1024
)

// apiTable finds an API by key.
type apiTable []*API

func newAPITable(apis []API) apiTable {
	t := make(apiTable, 0, 128)
	for i := range apis {
		a := apis[i]
		if a.Key < 0 || a.Key > keyMax {
			continue
		}
		for int(a.Key) >= len(t) {
			t = append(t, nil)
		}
		if a.Weight <= 0 {
			a.Weight = 1
		}
		t[a.Key] = &a
	}
	return t
}

func (t apiTable) find(key int16) *API {
	if key < 0 || int(key) >= len(t) {
		return nil
	}
	return t[key]
}

// flexible reports whether a version's headers are flexible.
func (a *API) flexible(version int16) bool {
	return a.FlexibleFrom >= 0 && version >= a.FlexibleFrom
}
