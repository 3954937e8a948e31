package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/meshctl/meshctl/internal/durable"
)

// Running is a hub that runs on this machine, as its user's other commands find it.
type Running struct {
	URL     string    `json:"url"`
	Leaf    string    `json:"leaf"`
	Creds   string    `json:"creds"`   // file with the credential of the user who runs it
	Account string    `json:"account"` // public key of who signs credentials
	Data    string    `json:"data"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// announcement is the file that tells of a running hub, one for each data folder, and
// the lock beside it that says that it still runs: a process cannot leave that behind,
// however it ends, and no later process takes it by chance, as it may a PID or a port.
type announcement struct {
	path string
	lock *flock.Flock
}

func announce(ctx context.Context, stateDir string, r Running) (_ announcement, err error) {
	sum := sha256.Sum256([]byte(r.Data))
	a := announcement{path: filepath.Join(stateDir, "meshes", hex.EncodeToString(sum[:8])+".json")}
	if err := os.MkdirAll(filepath.Dir(a.path), 0o755); err != nil {
		return a, fmt.Errorf("announce the mesh: %w", err)
	}
	a.lock = flock.New(lockOf(a.path))
	// Whoever looks for running meshes holds the lock for a moment.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := a.lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return a, fmt.Errorf("announce the mesh: lock %s: %w", a.lock.Path(), err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = durable.WriteSecret(a.path, data)
	}
	if err != nil {
		return a, errors.Join(fmt.Errorf("announce the mesh: %w", err), a.lock.Unlock())
	}
	return a, nil
}

func lockOf(path string) string { return path + ".lock" }

func (a announcement) withdraw() error {
	var errs []error
	for _, path := range []string{a.path, a.lock.Path()} {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, a.lock.Unlock())...)
}

// RunningMeshes are the hubs that run on this machine. What a killed process left
// behind is not among them.
func RunningMeshes(stateDir string) ([]Running, error) {
	files, err := filepath.Glob(filepath.Join(stateDir, "meshes", "*.json"))
	if err != nil {
		return nil, err
	}
	var running []Running
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) { // withdrawn meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		var r Running
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		alive, err := locked(lockOf(file))
		if err != nil {
			return nil, fmt.Errorf("find running meshes: %w", err)
		}
		if alive {
			running = append(running, r)
		}
	}
	return running, nil
}

// locked says whether a process holds the lock.
func locked(path string) (bool, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path)
	got, err := lock.TryRLock()
	if err != nil || !got {
		return !got, err
	}
	return false, lock.Unlock()
}
