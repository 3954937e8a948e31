package olap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// A commit that is cancelled at any moment has happened whole or not at all, and the
// next one goes on from there; so it is with queries.
func TestCommitCancelledAtAnyMoment(t *testing.T) {
	db := openDB(t, t.TempDir())
	table := openTable(t, db, eventSpec())
	cancelled := 0
	for seq := int64(1); seq <= 300; seq++ {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3000))*time.Microsecond)
			err := table.Commit(ctx, batch(row{record.Seq(seq), "a", seq, false}), record.Seq(seq))
			cancel()
			queried, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1000))*time.Microsecond)
			if rows, err := db.Query(queried, Query{SQL: "SELECT count(*) FROM trips"}); err == nil {
				if err := rows.Close(); err != nil {
					t.Error(err)
				}
			}
			cancel()
			if err == nil {
				break
			}
			cancelled++
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("commit of %d, which was not cancelled: %v", seq, err)
			}
		}
	}
	t.Logf("%d commits cancelled", cancelled)
	equal(t, "rows", lines(t, db, "SELECT count(*), count(DISTINCT n), sum(n) FROM trips"), []string{fmt.Sprintf("300|300|%d", 300*301/2)})
}
