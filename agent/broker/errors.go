package broker

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Reasons for which a connection is closed. They are logged and counted, never sent.
var (
	// ErrFrameSize: a frame's size is negative, shorter than a header or above its bound.
	ErrFrameSize = errors.New("frame size out of bounds")
	// ErrHeader: the request header cannot be decoded.
	ErrHeader = errors.New("malformed request header")
	// ErrUnsupported: an API key or version that is not served.
	ErrUnsupported = errors.New("unsupported api key or version")
	// ErrMalformed: the request's body cannot be decoded; handlers close with it.
	ErrMalformed = errors.New("malformed request")
	// ErrSlowFrame: a frame took longer than Config.FrameTimeMax to arrive.
	ErrSlowFrame = errors.New("frame took too long to arrive")
	// ErrSlowReader: a write waited longer than Config.WriteTimeMax for the client.
	ErrSlowReader = errors.New("client does not read its answers")
	// ErrIdle: no request for Config.IdleMax.
	ErrIdle = errors.New("connection idle")
	// ErrTooMany: Config.ConnectionsMax or ConnectionsPerIPMax is reached.
	ErrTooMany = errors.New("too many connections")
	// ErrPanic: the handler panicked; the connection is closed, the agent goes on.
	ErrPanic = errors.New("handler panicked")

	errStopping = errors.New("server is stopping")
)

// reasons label the metric of closed connections.
var reasons = []struct {
	err   error
	label string
}{
	{ErrFrameSize, "frame_size"},
	{ErrHeader, "header"},
	{ErrUnsupported, "unsupported"},
	{ErrMalformed, "malformed"},
	{ErrSlowFrame, "slow_frame"},
	{ErrSlowReader, "slow_reader"},
	{ErrIdle, "idle"},
	{ErrTooMany, "too_many"},
	{ErrPanic, "panic"},
	{errStopping, "stopping"},
	{io.EOF, "client"},
	{io.ErrUnexpectedEOF, "client"},
	{io.ErrClosedPipe, "client"},
	{syscall.ECONNRESET, "client"},
	{syscall.EPIPE, "client"},
	{net.ErrClosed, "client"},
	{os.ErrDeadlineExceeded, "stopping"},
}

// reasonOf is the label of a cause.
func reasonOf(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.label
		}
	}
	return "handler"
}

// clientFault reports whether the cause is worth a warning: the peer broke the protocol or a bound.
func clientFault(err error) bool {
	switch reasonOf(err) {
	case "client", "stopping", "idle":
		return false
	}
	return true
}
