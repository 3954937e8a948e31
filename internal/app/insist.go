package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// insistedFile has what was said as ProductOptions.LoseOnce and has been done, so that
// neither a restart nor an older revision of a pod makes it count again.
const insistedFile = "insisted.json"

// mayLose says whether the descriptor's retention may drop records.
func (p *Product) mayLose() (bool, error) {
	if p.o.LoseData || p.o.LoseOnce == "" || !p.desc.LoseOnceIsFor(p.o.LoseOnce) {
		return p.o.LoseData, nil
	}
	done, err := p.insisted()
	return err == nil && !slices.Contains(done, p.o.LoseOnce), err
}

// lost remembers that the streams are what somebody insisted on.
func (p *Product) lost() error {
	if p.o.LoseOnce == "" || !p.desc.LoseOnceIsFor(p.o.LoseOnce) {
		return nil
	}
	done, err := p.insisted()
	if err != nil || slices.Contains(done, p.o.LoseOnce) {
		return err
	}
	return p.saveJSON(append(done, p.o.LoseOnce), "contracts", insistedFile)
}

func (p *Product) insisted() (done []string, err error) {
	data, err := os.ReadFile(p.data.sub("contracts", insistedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &done)
	}
	if err != nil {
		return nil, fmt.Errorf("read what was insisted on: %w", err)
	}
	return done, nil
}
