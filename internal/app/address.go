package app

import (
	"cmp"
	"net"
	"net/url"
	"strings"
)

// sameServer says whether two URLs lead to one server of this machine, or are written the
// same; port is what a URL without one means. Where one is several, of the nodes of a hub,
// one of them is enough.
func sameServer(a, b, port string) bool {
	if strings.Contains(b, ",") {
		a, b = b, a
	}
	if first, rest, several := strings.Cut(a, ","); several {
		return sameServer(strings.TrimSpace(first), b, port) || sameServer(rest, b, port)
	}
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
