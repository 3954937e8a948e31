package image

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// programLayer is meshctl and what it needs of a system. A base image has its own users
// and certificates, which stay.
func (b *builder) programLayer(ctx context.Context) (*layer, error) {
	sbom, err := b.Binary.SPDX(b.Created)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(b.Binary.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return b.writeLayer(ctx, "pack meshctl", info.Size(), func(e *entries) error {
		for _, step := range []func() error{ // sorted by name, as in every layer
			func() error { return e.folder("data", 0o755, User) },
			func() error { return b.system(e) },
			func() error { return e.folder("tmp", 0o1777, 0) },
			func() error { return e.folder("usr", 0o755, 0) },
			func() error { return e.folder("usr/bin", 0o755, 0) },
			func() error { return e.file(Program[1:], 0o755, info.Size(), f) },
			func() error { return e.folder("usr/share", 0o755, 0) },
			func() error { return e.folder("usr/share/sbom", 0o755, 0) },
			func() error { return e.bytes("usr/share/sbom/meshctl.spdx.json", sbom) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// system adds the files below /etc that programs look for.
func (b *builder) system(e *entries) error {
	if b.Base != "" {
		return nil
	}
	for _, step := range []func() error{
		func() error { return e.folder("etc", 0o755, 0) },
		func() error {
			return e.bytes("etc/group", fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", User))
		},
		func() error { return e.bytes("etc/nsswitch.conf", []byte("hosts: files dns\n")) },
		func() error {
			return e.bytes("etc/passwd", fmt.Appendf(nil, "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/tmp:/sbin/nologin\n", User, User))
		},
		func() error { return e.folder("etc/ssl", 0o755, 0) },
		func() error { return e.folder("etc/ssl/certs", 0o755, 0) },
		func() error { return e.bytes("etc/ssl/certs/ca-certificates.crt", certificates()) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// certificates are Mozilla's root certificates. A root that is trusted with a constraint
// stays out, because a file of certificates cannot say it.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}
