package mesh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/trust"
)

// authority signs certificates for these tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a := &authority{key: key, file: filepath.Join(t.TempDir(), "ca.crt")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	a.cert, err = x509.ParseCertificate(der)
	must(t, err)
	must(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// sign writes a certificate of that serial number, for this machine and hub.mesh.svc.
func (a *authority) sign(t *testing.T, serial int64, into *Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"hub.mesh.svc"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, &key.PublicKey, a.key)
	must(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(into.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(into.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
}

// With a certificate nothing passes unencrypted, and nobody joins a hub that it cannot
// be sure of. A renewed certificate is shown without a restart.
func TestLinksAndClientsAreEncrypted(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	o := hubOptions(t)
	o.Certificate = &Certificate{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	ours.sign(t, 7, o.Certificate)
	hub, err := StartHub(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { closed(t, hub) })

	start := func(name, ca string) *Leaf {
		l, err := StartLeaf(t.Context(), LeafOptions{
			Dir: t.TempDir(), Domain: name, HubLeafURL: hub.LeafURL(), Creds: always(productCreds(t, name)), CA: ca,
		})
		must(t, err)
		t.Cleanup(func() { closed(t, l) })
		return l
	}
	sure, unsure := start("flights", ours.file), start("delays", others.file)
	eventually(t, "the leaf that trusts the authority joins", sure.Connected)
	must(t, CatalogOfHub(sure).Put(t.Context(), "flights", nil))
	if unsure.Connected() {
		t.Error("a leaf joins a hub whose authority it does not know")
	}
	if l, err := joinRaw(hub.LeafURL(), productCreds(t, "flights")); err == nil {
		l.close(t)
		t.Error("a leaf joins without encryption")
	}

	u, err := url.Parse(hub.ClientURL())
	must(t, err)
	creds := credsFile(t, "ann", trust.ReadOnly)
	serial := func() int64 {
		nc, err := Connect(t.Context(), ConnectOptions{URL: "nats://" + u.Host, Creds: creds, CA: ours.file, Host: "hub.mesh.svc"})
		must(t, err)
		defer nc.Close()
		state, err := nc.TLSConnectionState()
		must(t, err)
		return state.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 7 {
		t.Errorf("certificate %d, want 7", got)
	}
	ours.sign(t, 8, o.Certificate)
	if got := serial(); got != 8 {
		t.Errorf("certificate %d after it was renewed, want 8", got)
	}
	for name, c := range map[string]ConnectOptions{
		"another authority": {CA: others.file}, "the system's": {}, "another name": {CA: ours.file, Host: "hub.other.svc"},
	} {
		c.URL, c.Creds = "nats://"+u.Host, creds
		_, err := Connect(t.Context(), c)
		if err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if nc, err := nats.Connect("nats://"+u.Host, nats.UserCredentials(creds), nats.RootCAs(ours.file)); err != nil {
		t.Error(err) // any client
	} else {
		nc.Close()
	}
}

func TestTLSFilesThatAreNone(t *testing.T) {
	o := hubOptions(t)
	o.Certificate = &Certificate{Cert: "tls_test.go", Key: "tls_test.go"}
	_, err := StartHub(t.Context(), o)
	wantKind(t, err, fault.Invalid)
	for _, file := range []string{"tls_test.go", "no-such-file"} {
		_, err = StartLeaf(t.Context(), LeafOptions{Dir: t.TempDir(), Domain: "x", HubLeafURL: "nats-leaf://127.0.0.1:1", Creds: always(nil), CA: file})
		wantKind(t, err, fault.Invalid)
		_, err = Connect(t.Context(), ConnectOptions{URL: "nats://127.0.0.1:1", CA: file})
		wantKind(t, err, fault.Invalid)
	}
}
