package doctor

import (
	"fmt"

	"github.com/meshctl/meshctl/internal/product"
)

func foldersChecks() []Check {
	return []Check{{
		ID: "descriptor", About: "a descriptor is wrong or doubtful",
		Why:     "The product does not start, or does not get what it reads.",
		Do:      "correct it, and run meshctl validate",
		folders: badDescriptors,
	}}
}

// badDescriptors are what validate finds too, but for what other checks say better.
func badDescriptors(f *Folders) (found []Finding) {
	for _, p := range f.Problems {
		found = append(found, Finding{Where: fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column), Seen: p.Message, Do: p.Hint})
	}
	return found
}

// each looks at every product that could be read.
func (f *Folders) each(look func(file string, p *product.Product)) {
	for _, l := range f.Products {
		if l.Product != nil {
			look(l.File, l.Product)
		}
	}
}
