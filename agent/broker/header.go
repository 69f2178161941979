package broker

import (
	"encoding/binary"
	"fmt"
)

// headerBytesMin is the shortest request header: key, version, correlation id and a null client id.
const headerBytesMin = 10

// decodeHeader fills r's header fields from a frame and sets Body to what follows. A client id
// equal to lastClient is not allocated again.
func decodeHeader(r *Request, frame []byte, apis apiTable, lastClient string) error {
	if len(frame) < headerBytesMin {
		return fmt.Errorf("%w: %d bytes", ErrHeader, len(frame))
	}
	r.Key = int16(binary.BigEndian.Uint16(frame))
	r.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	r.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	r.api = apis.find(r.Key)
	if r.api == nil {
		return fmt.Errorf("%w: key %d version %d", ErrUnsupported, r.Key, r.Version)
	}
	if (r.Version < r.api.Min || r.Version > r.api.Max) &&
		(r.Key != apiVersionsKey || r.Version < 0) {
		return fmt.Errorf("%w: %s version %d", ErrUnsupported, r.api.Name, r.Version)
	}
	rest, err := decodeClientID(r, frame[8:], lastClient)
	if err != nil {
		return err
	}
	if r.api.flexible(r.Version) {
		if rest, err = skipTags(rest); err != nil {
			return err
		}
	}
	r.Body = rest
	return nil
}

func decodeClientID(r *Request, b []byte, last string) ([]byte, error) {
	n := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	switch {
	case n == -1:
		r.ClientID = ""
		return b, nil
	case n < 0 || n > len(b):
		return nil, fmt.Errorf("%w: client id of %d bytes", ErrHeader, n)
	}
	if string(b[:n]) == last {
		r.ClientID = last
	} else {
		r.ClientID = string(b[:n])
	}
	return b[n:], nil
}

// skipTags skips a tagged-field section (KIP-482).
func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return nil, fmt.Errorf("%w: tagged fields", ErrHeader)
	}
	b = b[n:]
	for ; count > 0; count-- {
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("%w: tag", ErrHeader)
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, fmt.Errorf("%w: tagged field's size", ErrHeader)
		}
		b = b[n+int(size):]
	}
	return b, nil
}
