package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Running is a hub that runs on this machine, as its user's other commands find it.
type Running struct {
	URL     string    `json:"url"`
	Leaf    string    `json:"leaf"`
	Data    string    `json:"data"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// announcement is the file that tells of a running hub, one for each data folder.
type announcement struct{ path string }

func announce(stateDir string, r Running) (announcement, error) {
	sum := sha256.Sum256([]byte(r.Data))
	a := announcement{filepath.Join(stateDir, "meshes", hex.EncodeToString(sum[:8])+".json")}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return a, err
	}
	if err := writeFile(a.path, data); err != nil {
		return a, fmt.Errorf("announce the mesh: %w", err)
	}
	return a, nil
}

func (a announcement) withdraw() error {
	if err := os.Remove(a.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
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
		if syscall.Kill(r.PID, 0) == nil {
			running = append(running, r)
		}
	}
	return running, nil
}
