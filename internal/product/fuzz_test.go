package product

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds that any input has an answer, that every problem lies within the
// file, and that what is accepted is written and read back as it is.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			text, _, _ := bytes.Cut(data, []byte(golden))
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems := Parse("x.yaml", data)
		if (p == nil) == (len(problems) == 0) {
			t.Fatalf("product %v and problems %v", p, problems)
		}
		lines := bytes.Split(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\n"))
		for _, problem := range problems {
			if problem.Line < 1 || problem.Line > len(lines) || problem.Column < 1 ||
				problem.Column > utf8.RuneCount(lines[problem.Line-1])+1 {
				t.Fatalf("%v lies outside the file", problem)
			}
			if problem.Message == "" || problem.File != "x.yaml" {
				t.Fatalf("got %+v", problem)
			}
		}
		if p == nil {
			return
		}
		written, err := p.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, problems := Parse("x.yaml", written)
		if again == nil {
			t.Fatalf("what was written is refused: %v\n%s", problems, written)
		}
		if changes := Compare(p, again); changes != nil {
			t.Fatalf("what was written differs: %+v\n%s", changes, written)
		}
		rewritten, err := again.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written, rewritten) {
			t.Fatalf("wrote\n%s\nread\n%+v\nwrote\n%s", written, again, rewritten)
		}
	})
}
