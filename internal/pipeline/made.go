package pipeline

import "context"

// Made is the transform of records that logic has made already, and that the contract
// refused: they go to the contract once more as they are.
type Made struct{}

// Apply emits each item.
func (Made) Apply(_ context.Context, _ uint64, _ string, items []Item) ([]Emitted, []Rejected, error) {
	emitted := make([]Emitted, len(items))
	for i, it := range items {
		emitted[i] = Emitted{Value: it.Value, Delete: it.Delete}
	}
	return emitted, nil, nil
}
