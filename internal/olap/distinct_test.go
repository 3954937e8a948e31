package olap

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestDistinctCountsCombinations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's a \"file\".csv")
	if err := os.WriteFile(path, []byte("a,\"b \"\"c\"\"\",d\n1,x,\n01,x,\n1,y,\n1,x,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		columns []string
		want    int64
	}{
		{[]string{"a"}, 2}, {[]string{`b "c"`}, 2}, {[]string{"a", `b "c"`}, 3}, {[]string{"d"}, 1},
	} {
		if n, err := Distinct(t.Context(), path, tc.columns); err != nil || n != tc.want {
			t.Errorf("Distinct(%q) = %d, %v; want %d", tc.columns, n, err, tc.want)
		}
	}
	if _, err := Distinct(t.Context(), filepath.Join(t.TempDir(), "none.csv"), []string{"a"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of a file that is not there: %v", err)
	}
}
