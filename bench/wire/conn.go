package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// clientID is how the client names itself to brokers.
const clientID = "varve-bench"

// Bounds of a connection.
const (
	dialTimeout      = 5 * time.Second
	responseBytesMax = 256 << 20
	readBufferBytes  = 64 << 10
	apiVersionsKey   = 18
)

// Conn is one connection to a broker.
type Conn struct {
	nc          net.Conn
	in          *bufio.Reader
	out         []byte
	body        []byte
	correlation int32
	format      *kmsg.RequestFormatter
}

// Dial connects to a broker. The deadline of ctx holds for all requests on the connection.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := nc.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	return &Conn{
		nc: nc, in: bufio.NewReaderSize(nc, readBufferBytes),
		format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)),
	}, nil
}

// Close ends the connection. What another goroutine waits for on it fails.
func (c *Conn) Close() error { return c.nc.Close() }

// Send writes whole frames.
func (c *Conn) Send(frames []byte) error {
	_, err := c.nc.Write(frames)
	return err
}

// Receive reads the next response without its size: correlation id, header, body. The slice is
// valid until the next Receive.
func (c *Conn) Receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 4 || n > responseBytesMax {
		return nil, fmt.Errorf("response of %d bytes", n)
	}
	if uint32(cap(c.body)) < n {
		c.body = make([]byte, n+n/4)
	}
	c.body = c.body[:n]
	_, err := io.ReadFull(c.in, c.body)
	return c.body, err
}

// Ask sends a request and decodes its response, which aliases the connection's buffer until the
// next one.
func (c *Conn) Ask(req kmsg.Request) (kmsg.Response, error) {
	c.correlation++
	c.out = c.format.AppendRequest(c.out[:0], req, c.correlation)
	if err := c.Send(c.out); err != nil {
		return nil, fmt.Errorf("send %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	b, err := c.Receive()
	if err != nil {
		return nil, fmt.Errorf("receive %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	if got := int32(binary.BigEndian.Uint32(b)); got != c.correlation {
		return nil, fmt.Errorf("response %d to request %d", got, c.correlation)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	b = b[4:]
	if resp.IsFlexible() && req.Key() != apiVersionsKey {
		if len(b) == 0 || b[0] != 0 {
			return nil, fmt.Errorf("%s: response header with tags", kmsg.NameForKey(req.Key()))
		}
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp, nil
}

// Barrier returns when the broker has handled everything sent before it on this connection.
func (c *Conn) Barrier() error {
	req := kmsg.NewPtrApiVersionsRequest()
	_, err := c.Ask(req)
	return err
}
