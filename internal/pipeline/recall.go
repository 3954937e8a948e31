package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// recall finds the contract that judged the lines whose sorting was interrupted: those
// up to the last letter, and those that the log has had and its retention dropped.
// Where none are, the door's own contract is the one that judges from now on.
func (r *doorRun) recall(ctx context.Context) error {
	_, letters, err := lastPosition(ctx, r.Dead)
	if err != nil {
		return err
	}
	if !letters.ofLogic() {
		r.judged = letters
	}
	kept, ok, err := r.keptContract()
	if err != nil || ok && reflect.DeepEqual(kept, r.Output) {
		return err
	}
	if !ok || !r.judged.After(r.done) && r.dropped == 0 {
		return r.keepContract()
	}
	c, err := contract.New(&kept)
	if err != nil {
		return err
	}
	r.before = newEncoder(r.Port, c)
	return nil
}

// settle makes the door's own contract judge from the line at on, once all that another
// one has judged is where it belongs, durably.
func (r *doorRun) settle(ctx context.Context, at Position) error {
	if r.before == nil || !at.After(r.judged) || r.dropped > 0 || !at.After(r.done) {
		return nil
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	for _, p := range []Position{r.judged, r.passed} {
		if p.After(r.done) {
			r.done = p
		}
	}
	if err := r.save(); err != nil {
		return err
	}
	r.before = nil
	return r.keepContract()
}

// contractPath is the file that remembers which contract judges; it lies beside the checkpoint.
func (r *doorRun) contractPath() string { return r.Checkpoint.Path + ".contract" }

func (r *doorRun) keptContract() (product.Output, bool, error) {
	var kept product.Output
	data, err := os.ReadFile(r.contractPath())
	if errors.Is(err, fs.ErrNotExist) {
		return kept, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if err != nil {
		return kept, false, fault.New(fault.Internal, "restore it from a backup; without it records may come twice",
			"read contract %s: %w", r.contractPath(), err)
	}
	return kept, true, nil
}

func (r *doorRun) keepContract() error {
	err := durable.Replace(r.contractPath(), !r.Checkpoint.lazy, func(w io.Writer) error { return json.NewEncoder(w).Encode(r.Output) })
	if err != nil {
		return fmt.Errorf("keep the contract of %s: %w", r.Port, err)
	}
	return nil
}
