package objects

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/meshctl/meshctl/internal/fault"
)

// The names of what a bucket's credentials consist of, as variables and as files.
const (
	idName     = "AWS_ACCESS_KEY_ID"
	secretName = "AWS_SECRET_ACCESS_KEY"
	tokenName  = "AWS_SESSION_TOKEN" // temporary credentials have one
)

// Keys gives one part of the credentials by its name, "" for one that there is not.
type Keys func(name string) (string, error)

// KeysOf are the credentials of an environment.
func KeysOf(env func(string) string) Keys {
	return func(name string) (string, error) { return env(name), nil }
}

// KeysIn are the credentials in a folder, a file for each, as a Secret is mounted. They
// are read again now and then, so that they can be replaced while the product runs.
func KeysIn(dir string) Keys {
	return func(name string) (string, error) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return strings.TrimSpace(string(data)), err
	}
}

// rereadAfter is how old credentials may be.
const rereadAfter = time.Minute

// provider gives keys to the client.
type provider struct {
	credentials.Expiry
	keys Keys
}

func (p *provider) Retrieve() (v credentials.Value, err error) {
	v.SignerType = credentials.SignatureV4
	for _, part := range []struct {
		name string
		into *string
	}{{idName, &v.AccessKeyID}, {secretName, &v.SecretAccessKey}, {tokenName, &v.SessionToken}} {
		if *part.into, err = p.keys(part.name); err != nil {
			return v, fault.New(fault.Denied, "mount the bucket's Secret readable", "read the bucket's credentials: %w", err)
		}
		if *part.into == "" && part.name != tokenName {
			return v, fault.New(fault.Denied, "set "+idName+" and "+secretName+", or mount a Secret that has both",
				"there are no credentials for the bucket: %s is missing", part.name)
		}
	}
	p.SetExpiration(time.Now().Add(rereadAfter), 0)
	return v, nil
}

func (p *provider) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return p.Retrieve()
}
