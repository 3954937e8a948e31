package kv_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/storetest"
)

// contractStore is a Store that closes its database.
type contractStore struct {
	*kv.Store
	db *kv.DB
}

func (s contractStore) Close() error { return s.db.Close() }

func (s contractStore) Rows(ctx context.Context) ([]record.Record, error) { return rows(ctx, s.Store) }

func rows(ctx context.Context, s *kv.Store) (all []record.Record, err error) {
	err = s.Scan(ctx, kv.Range{}, func(r record.Record) error {
		all = append(all, r)
		return nil
	})
	return all, err
}

func open(t testing.TB, dir string) *kv.DB {
	t.Helper()
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) storetest.Store {
		db := open(t, filepath.Join(dir, "kv"))
		return contractStore{db.Store("orders-v1"), db}
	})
}
