package sink

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"

	"golang.org/x/sync/errgroup"
)

// frameBytesMax bounds a frame.
const frameBytesMax = 64 << 20

// readBufferBytes is enough for a frame's head; larger reads go past the buffer.
const readBufferBytes = 4 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Serve takes connections until ctx ends or the listener fails. Files are kept in dir for as long
// as their connection lives.
func Serve(ctx context.Context, listener net.Listener, dir string) error {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	var group errgroup.Group
	for {
		conn, err := listener.Accept()
		if err != nil {
			waited := group.Wait()
			if ctx.Err() != nil {
				return waited
			}
			return fmt.Errorf("accept: %w", err)
		}
		group.Go(func() error {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer func() { _ = conn.Close() }()
			err := drain(conn, dir)
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		})
	}
}

// drain handles one connection until its end.
func drain(conn net.Conn, dir string) error {
	file, err := os.CreateTemp(dir, "sink-*")
	if err != nil {
		return fmt.Errorf("create a file for the connection: %w", err)
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	in := bufio.NewReaderSize(conn, readBufferBytes)
	var head [4]byte
	var ack [8]byte
	var frame []byte
	at := int64(0)
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return endOf(err)
		}
		n := int(binary.BigEndian.Uint32(head[:]))
		if n < 8 || n > frameBytesMax {
			return fmt.Errorf("frame of %d bytes", n)
		}
		if cap(frame) < n {
			frame = make([]byte, n)
		}
		frame = frame[:n]
		if _, err := io.ReadFull(in, frame); err != nil {
			return endOf(err)
		}
		_ = crc32.Checksum(frame, castagnoli)
		if _, err := file.WriteAt(frame, at); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		at += int64(n)
		binary.BigEndian.PutUint32(ack[:], 4)
		copy(ack[4:], frame[4:8])
		if _, err := conn.Write(ack[:]); err != nil {
			return endOf(err)
		}
	}
}

// endOf is nil for the ways in which a client goes away.
func endOf(err error) error {
	var op *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) {
		return nil
	}
	return err
}
