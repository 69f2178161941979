package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

const (
	readBufferBytes  = 64 << 10 // reads larger than this bypass it
	writeBufferBytes = 64 << 10
	bodyBufferBytes  = 256 << 10
	dialTimeout      = 10 * time.Second
	idleTimeout      = 90 * time.Second
	continueTimeout  = time.Second
)

var bodyBuffers = sync.Pool{New: func() any { return new([bodyBufferBytes]byte) }}

// NewTransport makes the HTTP transport of a client: HTTP/1.1, since one connection per stream is
// fastest for large bodies; no compression; bounded connections, all of which may idle; and a limit
// on how long any of them may stall.
func NewTransport(cfg Config) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c, stall: cfg.StallTimeout}, nil
		},
		Protocols:           protocols,
		DisableCompression:  true,
		MaxIdleConns:        cfg.ConnsMax,
		MaxIdleConnsPerHost: cfg.ConnsMax,
		MaxConnsPerHost:     cfg.ConnsMax,
		// shorter than the stall limit, which would close an idle connection under a new request
		IdleConnTimeout:       min(idleTimeout, cfg.StallTimeout*2/3),
		TLSHandshakeTimeout:   dialTimeout,
		ExpectContinueTimeout: continueTimeout,
		ResponseHeaderTimeout: cfg.StallTimeout,
		ReadBufferSize:        readBufferBytes,
		WriteBufferSize:       writeBufferBytes,
	}
}

// PlainPayload tells whether the payload's SHA-256 may be left out of the signature: under TLS,
// which protects it, and on loopback, where nobody else sees it. Hashing halves the rate of
// uploads.
func PlainPayload(endpoint *url.URL) bool {
	if endpoint.Scheme == "https" {
		return true
	}
	host := endpoint.Hostname()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// conn closes itself, through its deadlines, when no byte moves in either direction for a while.
type conn struct {
	net.Conn
	stall time.Duration
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn. The read deadline moves too: while a long body goes out, the transport
// already waits for the answer to it.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// ReadFrom implements io.ReaderFrom, which the transport uses for bodies: larger steps than its
// own.
func (c *conn) ReadFrom(r io.Reader) (total int64, err error) {
	buf := bodyBuffers.Get().(*[bodyBufferBytes]byte)
	defer bodyBuffers.Put(buf)
	for {
		n, rerr := r.Read(buf[:])
		if n > 0 {
			wrote, werr := c.Write(buf[:n])
			total += int64(wrote)
			if werr != nil {
				return total, werr
			}
		}
		if errors.Is(rerr, io.EOF) {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
}
