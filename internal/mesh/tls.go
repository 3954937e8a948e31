package mesh

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/meshctl/meshctl/internal/fault"
)

// tlsSeconds is how long a server waits for the other side of a handshake.
const tlsSeconds = 5

// Certificate is the files with what a hub shows clients and leaves. A renewed one is
// shown from the next connection on.
type Certificate struct{ Cert, Key string }

func (c *Certificate) config() (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, fault.New(fault.Invalid, "name a certificate and its key, both PEM", "read the certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}, nil
}

// trusting is how to connect to a hub whose certificate one of the authorities in a file
// has signed; the system's where file is "". name is what the certificate must be for;
// "" is the address.
func trusting(file, name string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.Invalid, "name a file of certificates, PEM", "read the authorities: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fault.New(fault.Invalid, "name a file of certificates, PEM", "read the authorities: %s holds none", file)
	}
	return c, nil
}
