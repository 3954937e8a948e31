package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/objects"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
)

// bucketStore is where the product's segments live; the zero value is its volume.
func (p *Product) bucketStore(desc *product.Product) (olap.BucketOptions, error) {
	bucket, folder := desc.BucketFolder()
	if bucket == "" {
		return olap.BucketOptions{}, nil
	}
	s := desc.Spec.Storage
	cache, err := s.Cache.Bytes()
	if err != nil {
		return olap.BucketOptions{}, err
	}
	keys := objects.KeysOf(p.env)
	if p.o.BucketKeys != "" {
		keys = objects.KeysIn(p.o.BucketKeys)
	}
	b, err := objects.New(objects.Options{
		Bucket: bucket, Prefix: folder, Endpoint: s.Endpoint, Region: s.Region, PathStyle: s.PathStyle, Keys: keys,
	})
	if err != nil {
		return olap.BucketOptions{}, err
	}
	volume, err := p.volume()
	return olap.BucketOptions{Bucket: b, Cache: cache, Volume: volume, TakeOver: p.o.LoseExpired}, err
}

// env is a variable of the process's environment.
func (p *Product) env(name string) string {
	for _, v := range slices.Backward(p.o.Env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// volume is the name of the volume that the product's logs are in, made up once. A table in
// a bucket bears it, for its position means something only beside that log.
func (p *Product) volume() (string, error) {
	file := p.data.sub("volume")
	name, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		name = []byte(rand.Text())
		err = durable.Write(file, name)
	}
	if err != nil {
		return "", fmt.Errorf("name the volume: %w", err)
	}
	return string(name), nil
}

// logGap is how far a log that is made anew begins behind the table: further than the
// lost one can have come, so that no sequence means two records to those who have a copy.
const logGap = 1_000_000_000

// followTable refuses a log that ends before what the table in the bucket was made of, or,
// where that was asked for, lets it go on behind.
func (pt *port) followTable(ctx context.Context, nc *mesh.Conn) error {
	at, err := pt.table.Position(ctx)
	if err != nil {
		return err
	}
	state, err := mesh.State(ctx, nc, "", pt.id.Stream())
	if err != nil || at <= state.Last {
		return err
	}
	if !pt.p.o.LoseExpired {
		return fault.New(fault.Conflict, "attach the volume that has the log, or start with --dangerous-lose-expired to go on without what only that held",
			"the log of %s ends at record %d, but its table in the bucket has what was in it up to record %d", pt.id, state.Last, at)
	}
	if pt.p.desc.Spec.Logic != nil && pt.out.Type == product.Event {
		return fault.New(fault.Conflict, "choose another prefix for the bucket, where the logic makes all records again",
			"the log of %s is not the one that its table in the bucket was made of, and logic would put its records there twice", pt.id)
	}
	next := (at/logGap + 2) * logGap
	pt.logger().Warn("the log is not the one that the table in the bucket was made of; it goes on behind it", "table", at, "log", state.Last, "next", next+1)
	if err := pt.checkpoint().Begin(next); err != nil { // first: without the purge it says nothing
		return err
	}
	_, err = mesh.Purge(ctx, nc, "", pt.id.Stream(), "", next+1)
	return err
}
