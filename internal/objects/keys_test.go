package objects

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestKeysInAFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &provider{keys: KeysIn(dir)}
	if _, err := p.Retrieve(); fault.KindOf(err) != fault.Denied {
		t.Errorf("an empty folder: %v", err)
	}
	write(idName, "me\n")
	write(secretName, "one\n")
	v, err := p.Retrieve()
	if err != nil || v.AccessKeyID != "me" || v.SecretAccessKey != "one" || v.SessionToken != "" {
		t.Errorf("%+v, %v", v, err)
	}
	write(secretName, "two")
	write(tokenName, "token")
	if v, err = p.Retrieve(); err != nil || v.SecretAccessKey != "two" || v.SessionToken != "token" {
		t.Errorf("%+v, %v", v, err)
	}
	if err := os.Remove(filepath.Join(dir, secretName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, secretName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Retrieve(); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("what cannot be read: %v", err)
	}
}
