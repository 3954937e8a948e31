package app

import (
	"cmp"
	"net"
	"net/url"
)

// sameServer says whether two URLs lead to one server of this machine, or are written the
// same; port is what a URL without one means.
func sameServer(a, b, port string) bool {
	if a == b {
		return true
	}
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && cmp.Or(x.Port(), port) == cmp.Or(y.Port(), port) &&
		isLoopback(x.Hostname()) && isLoopback(y.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
