package broker

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzFrame sends arbitrary bytes in arbitrary pieces. Whatever they are, every whole and valid
// frame is answered, the connection ends with its bytes, and no buffer or budget is left behind.
func FuzzFrame(f *testing.F) {
	f.Add(frame(0, 1, 1, "e"), byte(3))
	f.Add(append(frame(0, 1, 1, "g"), frame(0, 2, 2, "\x00e")...), byte(255))
	f.Add(append(frame(0, 0, 1, "f"), frame(apiVersionsKey, 77, 2, "\x00e")...), byte(0))
	f.Add(frame(0, 2, 1, "\x02\x00\x01x\x05\x00e"), byte(9))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0}, byte(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, byte(1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), byte(5))
	f.Fuzz(func(t *testing.T, stream []byte, step byte) {
		s, client := piped(t)
		go func() {
			_, _ = io.Copy(io.Discard, client)
		}()
		for rest := bytes.NewReader(stream); ; {
			if _, err := io.CopyN(client, rest, int64(step)+1); err != nil {
				break
			}
		}
		_ = client.Close()
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for deadline := time.After(5 * time.Second); ; {
			if len(s.connections()) == 0 && s.budget.used() == 0 {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%d connections, %d bytes left", len(s.connections()), s.budget.used())
			}
		}
	})
}

// piped makes a server with one connection in memory, whose handler answers at once.
func piped(t *testing.T) (*Server, net.Conn) {
	t.Helper()
	s, client := pipe(t, polite{newEcho()}, nil)
	return s, client
}

// polite is echo without the behaviours that wait for a test.
type polite struct{ *echo }

func (p polite) Handle(ctx context.Context, r *Request) {
	if len(r.Body) > 0 && (r.Body[0] == 'h' || r.Body[0] == 'b') {
		r.Body[0] = 'e'
	}
	if len(p.bodies) == cap(p.bodies) {
		<-p.bodies
	}
	p.echo.Handle(ctx, r)
}
