package manifest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// What fits into a ConfigMap, which a cluster keeps in etcd, and into a pod's mounts.
const (
	maxConfigBytes = 900 << 10
	maxConfigFiles = 100
	maxConfigKey   = 253
)

// config is the ConfigMap with a product's files.
type config struct {
	files map[string][]byte // by slash path below the product's folder
}

// configMode lets everybody read and run the files: a program may be among them.
const configMode = int64(0o555)

func newConfig(w *workload, files map[string][]byte) (*config, error) {
	if files[product.FileName] == nil {
		return nil, fmt.Errorf("product %s: its files lack %s", w.name, product.FileName)
	}
	if err := checkConfig(w.name, files); err != nil {
		return nil, err
	}
	for name := range files {
		if path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(name, "../") || name == ".." {
			return nil, fault.New(fault.Invalid, "", "product %s: file %q is not below its folder", w.name, name)
		}
	}
	return &config{files: files}, nil
}

// checkConfig refuses files that do not fit into a ConfigMap.
func checkConfig(name string, files map[string][]byte) error {
	const hint = "build the folder into an image and name that as spec.image"
	size := 0
	for path, data := range files {
		size += len(data)
		if len(configKey(path)) > maxConfigKey {
			return fault.New(fault.Invalid, hint, "product %s: the path of file %s is too long for a ConfigMap", name, path)
		}
	}
	switch {
	case size > maxConfigBytes:
		return fault.New(fault.Invalid, hint, "product %s: its files take %d KiB, and a ConfigMap holds %d KiB", name, (size+1023)>>10, maxConfigBytes>>10)
	case len(files) > maxConfigFiles:
		return fault.New(fault.Invalid, hint, "product %s: it has %d files, and a ConfigMap is mounted with %d at most", name, len(files), maxConfigFiles)
	}
	return nil
}

// configKey is a path as the key of a ConfigMap, reversibly: "_." is a slash, "__" an
// underscore, and "_" with two hex digits any other byte that a key cannot have.
func configKey(path string) string {
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/':
			b.WriteString("_.")
		case c == '_':
			b.WriteString("__")
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default: // a dot that begins the key among them, for ".." may not
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// digest changes with any file's path or content.
func (c *config) digest() string {
	h := sha256.New()
	for _, path := range sortedKeys(c.files) {
		fmt.Fprintf(h, "%d %s %d\n", len(path), path, len(c.files[path]))
		h.Write(c.files[path])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (w *workload) configMap() Object {
	data, binary := map[string]any{}, map[string]any{}
	for path, content := range w.config.files {
		if isText(content) {
			data[configKey(path)] = string(content)
		} else {
			binary[configKey(path)] = base64.StdEncoding.EncodeToString(content)
		}
	}
	fields := map[string]any{"data": data}
	if len(binary) > 0 {
		fields["binaryData"] = binary
	}
	return w.object("v1", "ConfigMap", w.name, fields)
}

// isText says whether every reader of YAML makes the same of the content.
func isText(content []byte) bool {
	if !utf8.Valid(content) {
		return false
	}
	for _, r := range string(content) {
		control := r < 0x20 && r != '\n' && r != '\t' || 0x7f <= r && r < 0xa0
		if control || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}
