package objects

import (
	"context"
	"net"
	"net/http"
	"time"
)

// stall is how long a connection may go without a byte in either direction.
const stall = 30 * time.Second

// newTransport speaks HTTP/1 to the endpoint: an upload has a connection of its own.
func newTransport(stall time.Duration) *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return conn{c, stall}, nil
		},
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     stall / 2,
		MaxIdleConnsPerHost: 8,
		DisableCompression:  true, // an object is stored as it is
	}
}

// conn breaks when nothing moves for too long. What is written gives the answer, for
// which somebody waits already, new time too.
type conn struct {
	net.Conn
	stall time.Duration
}

func (c conn) Read(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c conn) Write(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
