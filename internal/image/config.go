package image

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meshctl/meshctl/internal/product"
)

// configure says how the image is run. What a base image says of its environment stays.
func (b *builder) configure(file *v1.ConfigFile, base *base) {
	file.Created = v1.Time{Time: b.Created.UTC()}
	file.OS, file.Architecture = "linux", b.Binary.Arch()
	c := v1.Config{}
	if base.image != nil {
		file.Variant, file.OSVersion = base.config.Variant, base.config.OSVersion
		c = *base.config.Config.DeepCopy()
		c.Healthcheck, c.OnBuild, c.ExposedPorts, c.Volumes = nil, nil, nil, nil // of the base's own program
	}
	c.User = fmt.Sprintf("%d:%d", User, User)
	c.Entrypoint, c.Cmd, c.WorkingDir = []string{Program}, nil, "/"
	c.Env = withEnv(c.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", false)
	c.Env = withEnv(c.Env, "HOME=/tmp", true) // the one folder that can be written to where the root file system cannot
	if b.p != nil {
		c.Cmd = []string{"run", ProductDir, "--data", DataDir + "/product", "--http", fmt.Sprintf("0.0.0.0:%d", product.HTTPPort)}
		c.ExposedPorts = map[string]struct{}{fmt.Sprintf("%d/tcp", product.HTTPPort): {}}
		c.WorkingDir = ProductDir
	}
	c.Labels = maps.Clone(c.Labels)
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	maps.DeleteFunc(c.Labels, func(name, _ string) bool { return strings.HasPrefix(name, labelPrefix) })
	maps.Copy(c.Labels, b.labels(base))
	file.Config = c
}

// labelPrefix begins the labels that OCI defines; a base's are of the base, not of this image.
const labelPrefix = "org.opencontainers.image."

// labels describe the image in the words of OCI.
func (b *builder) labels(base *base) map[string]string {
	labels := map[string]string{
		labelPrefix + "title":       "meshctl",
		labelPrefix + "version":     b.Binary.Build.Version,
		labelPrefix + "description": "Publishes and uses data products.",
		labelPrefix + "licenses":    "Apache-2.0",
		labelPrefix + "revision":    b.Binary.Build.Commit,
		"dev.meshctl.version":       b.Binary.Build.Version,
	}
	if b.p != nil {
		m := b.p.Metadata
		delete(labels, labelPrefix+"licenses")
		delete(labels, labelPrefix+"revision")
		labels[labelPrefix+"title"], labels[labelPrefix+"version"] = m.Name, m.Version
		labels[labelPrefix+"description"], labels[labelPrefix+"vendor"] = m.Description, m.Owner
		labels["dev.meshctl.product"], labels["dev.meshctl.domain"] = m.Name, m.Domain
	}
	if base.image != nil {
		labels[labelPrefix+"base.name"], labels[labelPrefix+"base.digest"] = base.name, base.digest
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return labels
}

// withEnv is env with a variable; one of that name stays unless it is to be replaced.
func withEnv(env []string, variable string, replace bool) []string {
	name, _, _ := strings.Cut(variable, "=")
	at := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	switch {
	case at < 0:
		return append(slices.Clone(env), variable)
	case replace:
		env = slices.Clone(env)
		env[at] = variable
	}
	return env
}
