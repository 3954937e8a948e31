package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/product"
)

// savedContract is a contract that the product has offered, kept so that its port
// goes on when the descriptor has moved to a newer major version.
type savedContract struct {
	ID      product.PortID `json:"id"`
	Version string         `json:"version"`
	Output  product.Output `json:"output"`
}

func (p *Product) savedDescriptor() (*product.Product, error) {
	data, err := os.ReadFile(p.data.sub("contracts", "descriptor.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var old product.Product
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, fmt.Errorf("read the descriptor that ran last: %w", err)
	}
	return &old, nil
}

func (p *Product) savedContracts() (map[string]savedContract, error) {
	files, err := filepath.Glob(p.data.sub("contracts", "*.port.json"))
	if err != nil {
		return nil, err
	}
	contracts := map[string]savedContract{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var c savedContract
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("read contract %s: %w", file, err)
		}
		contracts[c.ID.Folder()] = c
	}
	return contracts, nil
}

func (p *Product) saveContracts() error {
	for _, pt := range p.ports {
		c := savedContract{ID: pt.id, Version: pt.version, Output: pt.out}
		if err := p.saveJSON(c, "contracts", pt.id.Folder()+".port.json"); err != nil {
			return err
		}
	}
	return p.saveJSON(p.desc, "contracts", "descriptor.json")
}

func (p *Product) saveJSON(v any, path ...string) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(p.data.sub(path...), data)
}
