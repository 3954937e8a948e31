package product

import (
	"reflect"
	"testing"
)

// An object port's columns are known, and its files have names of their own.
func TestObjectPort(t *testing.T) {
	p, problems := Parse("object.yaml", goodFiles(t)["object.yaml"])
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	o := p.Output("scans")
	if !reflect.DeepEqual(o.Schema, ObjectColumns()) || !reflect.DeepEqual(o.Key, []string{"name"}) || !o.Latest() || !o.Retention.Compact || o.Drops() {
		t.Errorf("output %+v", o)
	}
	id := p.ID("scans")
	files := id.Files()
	for got, want := range map[string]string{
		id.Stream():                     "scans-v1",
		files.Stream():                  "OBJ_papers_scans-v1",
		files.MirrorStream():            "OBJ_papers_scans-v1",
		files.ChunkSubject("x"):         "$O.papers_scans-v1.C.x",
		files.FileSubject("x"):          "$O.papers_scans-v1.M.x",
		files.DeliverSubject("archive"): "deliver.archive.papers.scans.v1.objects",
		files.MirrorRequest("archive"):  "$MIRROR.papers.CONSUMER.RESET.OBJ_papers_scans-v1.archive",
		files.FlowSubjects("archive"):   "$JS.FC.papers.*.OBJ_papers_scans-v1.archive.*",
		files.String():                  "papers.scans",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
