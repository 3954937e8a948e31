package binary

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/durable"
)

// An SPDX 2.3 document, as far as it is needed here; https://spdx.github.io/spdx-spec/v2.3/.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		License       string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
		Comment  string   `json:"comment,omitempty"`
	}
	spdxPackage struct {
		Name             string         `json:"name"`
		ID               string         `json:"SPDXID"`
		Version          string         `json:"versionInfo,omitempty"`
		Purpose          string         `json:"primaryPackagePurpose,omitempty"`
		Download         string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		Copyright        string         `json:"copyrightText"`
		SourceInfo       string         `json:"sourceInfo,omitempty"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		Refs             []spdxRef      `json:"externalRefs,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

const (
	unasserted = "NOASSERTION"
	documentID = "SPDXRef-DOCUMENT"
	programID  = "SPDXRef-meshctl"
)

// SPDX lists what is in the binary, as an SPDX 2.3 document in JSON: the Go modules as
// the linker recorded them, Go itself and DuckDB. The same binary and time give the
// same bytes.
func (b *Binary) SPDX(created time.Time) ([]byte, error) {
	sum, err := fileSum(b.Path)
	if err != nil {
		return nil, fmt.Errorf("list what is in %s: %w", b.Path, err)
	}
	name := "meshctl-" + b.Build.Version + "-" + strings.ReplaceAll(b.Build.Platform, "/", "-")
	doc := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: documentID, Name: name,
		Namespace: "https://meshctl.dev/spdx/" + url.PathEscape(name) + "-" + sum,
		Creation: spdxCreation{
			Created: created.UTC().Format(time.RFC3339), Creators: []string{"Tool: meshctl-" + b.Build.Version},
			Comment: "Libraries of the system that the binary was built on, such as libc, are linked statically and not listed.",
		},
	}
	program := modulePackage(programID, &b.info.Main)
	program.Purpose, program.LicenseDeclared = "APPLICATION", "Apache-2.0"
	program.Version = b.Build.Version
	program.Checksums = []spdxChecksum{{"SHA256", sum}}
	doc.Packages = append(doc.Packages, program)
	doc.Relationships = append(doc.Relationships, spdxRelationship{documentID, "DESCRIBES", programID})
	for _, p := range b.parts() {
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, spdxRelationship{programID, "DEPENDS_ON", p.ID})
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("list what is in %s: %w", b.Path, err)
	}
	return append(text, '\n'), nil
}

// parts are what is linked into the program.
func (b *Binary) parts() []spdxPackage {
	golang := modulePackage("SPDXRef-go", &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(b.Build.Go, "go")})
	golang.Name, golang.Download, golang.LicenseDeclared = "go", "https://go.dev/dl/", "BSD-3-Clause"
	parts := []spdxPackage{golang}
	if b.Build.DuckDB != "" {
		version := strings.TrimPrefix(b.Build.DuckDB, "v")
		parts = append(parts, spdxPackage{
			Name: "duckdb", ID: "SPDXRef-duckdb", Version: version, Purpose: "LIBRARY",
			Download:         "git+https://github.com/duckdb/duckdb@" + b.Build.DuckDB,
			LicenseConcluded: unasserted, LicenseDeclared: "MIT", Copyright: unasserted,
			Refs: []spdxRef{
				{"PACKAGE-MANAGER", "purl", "pkg:github/duckdb/duckdb@" + b.Build.DuckDB},
				{"SECURITY", "cpe23Type", "cpe:2.3:a:duckdb:duckdb:" + version + ":*:*:*:*:*:*:*"},
			},
		})
	}
	for i, dep := range b.info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		parts = append(parts, modulePackage(fmt.Sprintf("SPDXRef-module-%d-%s", i+1, spdxID.ReplaceAllString(dep.Path, "-")), dep))
	}
	return parts
}

// spdxID matches what an SPDX identifier must not have.
var spdxID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// modulePackage is a Go module.
func modulePackage(id string, m *debug.Module) spdxPackage {
	p := spdxPackage{
		Name: m.Path, ID: id, Version: m.Version, Purpose: "LIBRARY", Download: unasserted,
		LicenseConcluded: unasserted, LicenseDeclared: unasserted, Copyright: unasserted,
	}
	if m.Sum != "" {
		p.SourceInfo = "go.sum: " + m.Sum
	}
	locator := "pkg:golang/" + m.Path
	if v := cmp.Or(m.Version, "(devel)"); v != "(devel)" {
		locator += "@" + strings.ReplaceAll(v, "+", "%2B")
	}
	p.Refs = []spdxRef{{"PACKAGE-MANAGER", "purl", locator}}
	return p
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, _, err := durable.Digest(f)
	return sum, err
}
