package app

import "runtime/debug"

// What a process of products may take for its Go heap, for each of them, before the
// collector works harder; DuckDB and Badger's mapped files come on top.
const heapPerProduct = 640 << 20

// The collector's target for a process of products: the heap is small and short-lived
// beside the stores, so collecting rarely halves what the collector costs.
const gcPercent = 400

// TuneMemory sets up the garbage collector for a process that runs so many products.
// What GOGC and GOMEMLIMIT say is kept.
func TuneMemory(env func(string) string, products int) {
	if env("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapPerProduct * int64(max(products, 1)))
	}
}
