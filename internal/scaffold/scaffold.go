// Package scaffold makes a product's folder: it renders a template with answers, or
// describes the columns of a file that exists. It never writes over anything: a
// folder appears whole, or not at all.
//
// What was rendered from which version of a template with which answers is kept in
// the folder (RecordName), so that a later version can tell what is the template's
// and what is yours.
package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// RecordName is the file that remembers which template made a folder.
const RecordName = ".meshctl-template.yaml"

const aboutName = "template.yaml"

// FromFile is the template that renders the columns of a file.
const FromFile = "file"

// Template is one folder of the templates.
type Template struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Version     int    `json:"version"`
	Hidden      bool   `json:"hidden,omitempty"` // rendered, but not to be chosen by name
}

// Answers are what a template asks for.
type Answers struct {
	Name   string `json:"name"`   // the product's, its folder's and its port's
	Domain string `json:"domain"` // business domain
	Owner  string `json:"owner"`

	// Of the template FromFile only.
	File    string   `json:"file,omitempty"`
	Type    string   `json:"type,omitempty"` // product.Event or product.State
	Key     []string `json:"key,omitempty"`
	Columns []Field  `json:"-"`
}

// List is the templates in fsys, by name.
func List(fsys fs.FS) ([]Template, error) {
	folders, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	var all []Template
	for _, folder := range folders {
		text, err := fs.ReadFile(fsys, path.Join(folder.Name(), aboutName))
		if err != nil {
			return nil, fmt.Errorf("list templates: %w", err)
		}
		t := Template{Name: folder.Name()}
		if err := yaml.UnmarshalStrict(text, &t); err != nil {
			return nil, fmt.Errorf("read template %s: %w", folder.Name(), err)
		}
		all = append(all, t)
	}
	return all, nil
}

// Render makes the files of a product: template name of fsys, with the answers. Its
// descriptor is valid, or it is an error.
func Render(fsys fs.FS, name string, a Answers) (Tree, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	about, err := find(fsys, name)
	if err != nil {
		return nil, err
	}
	tree := Tree{}
	err = fs.WalkDir(fsys, name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(p) == aboutName {
			return err
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(p, name+"/")
		if plain, ok := strings.CutSuffix(rel, ".tmpl"); ok {
			rel = plain
			text, err = render(p, text, a)
		}
		tree[rel] = text
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("render template %s: %w", name, err)
	}
	if err := valid(tree[product.FileName], name, a); err != nil {
		return nil, err
	}
	tree[RecordName], err = yaml.Marshal(map[string]any{"template": name, "version": about.Version, "answers": a})
	return tree, err
}

// valid says what the rules of a descriptor have against these answers, such as a
// name that is reserved or that the template gives to an input.
func valid(descriptor []byte, template string, a Answers) error {
	_, problems := product.Parse(product.FileName, descriptor)
	if len(problems) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, problems[0].Hint, "make product %s of template %s: %s", a.Name, template, problems[0].Message)
}

func find(fsys fs.FS, name string) (Template, error) {
	all, err := List(fsys)
	if err != nil {
		return Template{}, err
	}
	var names []string
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
		if !t.Hidden {
			names = append(names, t.Name)
		}
	}
	return Template{}, fault.New(fault.Invalid, "choose one of "+strings.Join(names, ", "), "no template %q", name)
}

func render(name string, text []byte, a Answers) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(funcs()).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, a); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (a Answers) check() error {
	const rule = "use lower case letters, digits and dashes, a letter first, at most 40 characters"
	var errs []error
	if !product.ValidName(a.Name) {
		errs = append(errs, fault.New(fault.Invalid, rule, "name %q cannot name a product", a.Name))
	}
	if !product.ValidName(a.Domain) {
		errs = append(errs, fault.New(fault.Invalid, rule, "domain %q cannot name a business domain", a.Domain))
	}
	if a.Owner == "" || strings.ContainsFunc(a.Owner, unicode.IsControl) {
		errs = append(errs, fault.New(fault.Invalid, "name a team or an address", "owner %q is not one line of text", a.Owner))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	if len(errs) > 1 {
		return fault.New(fault.Invalid, fault.HintOf(errs[0]), "%w", errors.Join(errs...))
	}
	return nil
}

// Tree is files by their path, with slashes, below a folder.
type Tree map[string][]byte

// Names is the paths, sorted.
func (t Tree) Names() []string { return slices.Sorted(maps.Keys(t)) }
