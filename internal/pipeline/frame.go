package pipeline

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/meshctl/meshctl/internal/record"
)

// frame is a batch, or a part of one, as a program reads it.
type frame struct {
	number uint64
	input  string
	items  []Item
}

func (f frame) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	fmt.Fprintf(w, "{\"$batch\":%d,\"input\":%q}\n", f.number, f.input) // w keeps its first error
	for _, it := range f.items {
		line, err := it.line()
		if err != nil {
			return err
		}
		// A published record may be written over several lines; a frame's is one.
		if bytes.IndexByte(line, '\n') >= 0 {
			line = bytes.ReplaceAll(line, []byte{'\n'}, []byte{' '})
		}
		w.Write(line)
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "{\"$end\":%d}\n", f.number)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write a batch to the program: %w", err)
	}
	return nil
}

// line is the record as a program reads it.
func (it Item) line() ([]byte, error) {
	if it.Delete == nil {
		return it.Value, nil
	}
	return json.Marshal(map[string]string{"$delete": record.JoinTexts(it.Delete)})
}

// trace says of records that the program rejected which of the frame's they are, for a
// program writes them in its own way. One that is none of them came from the same input.
func (f frame) trace(rejected []Rejected) error {
	if len(rejected) == 0 {
		return nil
	}
	byMeaning := map[string][]Item{}
	for _, it := range f.items {
		line, err := it.line()
		if err != nil {
			return err
		}
		meaning := canonical(line)
		byMeaning[meaning] = append(byMeaning[meaning], it)
	}
	for i := range rejected {
		rej := &rejected[i]
		rej.Input = f.input
		meaning := canonical(rej.Value)
		same := byMeaning[meaning]
		if len(same) == 0 {
			continue
		}
		it := same[0]
		byMeaning[meaning] = same[1:]
		rej.Origin, rej.Value = it.Origin, it.Value
		if it.Delete != nil {
			var err error
			if rej.Value, err = DeleteLine(it.Delete); err != nil {
				return err
			}
		}
	}
	return nil
}

// canonical is the same for two JSON texts that mean the same, numbers as they are written.
func canonical(text []byte) string {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return string(text)
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(plain)
}

// the longest line that a program may write.
const maxCommandLine = 8 << 20

// errEnded says that a program's output ended inside a frame.
var errEnded = errors.New("it ended before it had answered the batch")

// readFrame reads a program's answer to frame number.
func readFrame(lines *bufio.Scanner, number uint64) (emitted []Emitted, rejected []Rejected, err error) {
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		switch controlField(line) {
		case "$batch":
		case "$end":
			var end struct {
				Number uint64 `json:"$end"`
			}
			if err := json.Unmarshal(line, &end); err != nil || end.Number != number {
				return nil, nil, fmt.Errorf("it wrote %.120q, not the end of batch %d", line, number)
			}
			return emitted, rejected, nil
		case "$reject":
			rej, err := parseReject(line, number)
			if err != nil {
				return nil, nil, err
			}
			rejected = append(rejected, rej)
		default:
			emitted = append(emitted, Emitted{Value: bytes.Clone(line)})
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, nil, fmt.Errorf("it wrote a line of more than %d bytes", maxCommandLine)
	case err != nil:
		return nil, nil, fmt.Errorf("read the program's answer: %w", err)
	}
	return nil, nil, errEnded
}

func parseReject(line []byte, number uint64) (Rejected, error) {
	var r struct {
		Value  json.RawMessage `json:"$reject"`
		Reason string          `json:"reason"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Rejected{}, fmt.Errorf("it wrote %.120q: %w", line, err)
	}
	return Rejected{Value: r.Value, Reason: r.Reason, Origin: logicOrigin(number)}, nil
}
