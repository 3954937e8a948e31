package shell

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/durable"
)

// history is what was typed before, the oldest first and each text once. It is kept in a
// file that its user alone may read, one JSON string a line. Shells side by side add to
// the same file.
type history struct {
	path string
	all  []string
	back int    // how many texts back the editor is
	kept string // what was in the editor before it went back
}

// historyMost is how many texts are remembered.
const historyMost = 10_000

// openHistory reads the file, if there is one. A history that cannot be read is empty.
func openHistory(path string) (*history, error) {
	h := &history{path: path}
	if path == "" {
		return h, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("read the history: %w", err)
	}
	lines := 0
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); lines++ {
		var text string
		if json.Unmarshal(s.Bytes(), &text) == nil { // a line that was cut by a full disk is skipped
			h.put(text)
		}
	}
	if lines > len(h.all)+historyMost/10 {
		return h, h.rewrite()
	}
	return h, nil
}

// put remembers a text as the newest.
func (h *history) put(text string) {
	if at := slices.Index(h.all, text); at >= 0 {
		h.all = slices.Delete(h.all, at, at+1)
	}
	if h.all = append(h.all, text); len(h.all) > historyMost {
		h.all = h.all[1:]
	}
}

// rewrite leaves out of the file what is not remembered any more.
func (h *history) rewrite() error {
	var b bytes.Buffer
	for _, text := range h.all {
		line, err := json.Marshal(text)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	if err := durable.WriteSecret(h.path, b.Bytes()); err != nil {
		return fmt.Errorf("shorten the history: %w", err)
	}
	return nil
}

// add remembers a text, also in the file.
func (h *history) add(text string) error {
	h.back, h.kept = 0, ""
	if text == "" || len(h.all) > 0 && h.all[len(h.all)-1] == text {
		return nil
	}
	h.put(text)
	if h.path == "" {
		return nil
	}
	line, err := json.Marshal(text)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	return nil
}

// recall is the text by further back; ok is false where there is none.
func (h *history) recall(by int, now string) (text string, ok bool) {
	to := h.back + by
	if to < 0 || to > len(h.all) {
		return "", false
	}
	if h.back == 0 {
		h.kept = now
	}
	h.back = to
	if to == 0 {
		return h.kept, true
	}
	return h.all[len(h.all)-to], true
}

// find is the newest text that contains what, skipping that many of them.
func (h *history) find(what string, skip int) (text string, ok bool) {
	what = strings.ToLower(what)
	for _, t := range slices.Backward(h.all) {
		if !strings.Contains(strings.ToLower(t), what) {
			continue
		}
		if skip == 0 {
			return t, true
		}
		skip--
	}
	return "", false
}
