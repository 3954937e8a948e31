package app

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Data folders that earlier releases wrote go on being read. Each archive holds the data
// of a mesh that was killed, with a log, a segment beside a fresh tail, keys, a dead
// letter, and SQL in table mode over another product; testdata/README.md says how it was
// made. Where a format is given up, its archive stays and must be refused with a hint.
func TestDataOfEarlierReleasesOpens(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join("testdata", "data-format-*.tar.gz"))
	if err != nil || len(archives) < dataFormat {
		t.Fatalf("%d archives for %d formats, %v", len(archives), dataFormat, err)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, archive, dir)
			w := startWorld(t, filepath.Join(dir, "data"), filepath.Join(dir, "readings"), filepath.Join(dir, "sensors"))
			const readings = "SELECT id, sensor, reading FROM readings ORDER BY id"
			rows, a := w.query(t, readings)
			if got := strings.Join(rows, ";"); got != "r-1|roof|3.5;r-2|cellar|11.25;r-3|roof|3.75;r-4|roof|10.75" {
				t.Errorf("readings = %s", got)
			}
			if a.Watermarks["readings.readings"].Seq != 4 {
				t.Errorf("watermarks = %v", a.Watermarks)
			}
			letters, err := w.client.DeadLetters(t.Context(), "readings")
			if err != nil || len(letters) != 1 || letters[0].Reason != "sensor: is empty" {
				t.Errorf("letters = %+v, %v", letters, err)
			}
			got, err := w.client.Get(t.Context(), "sensors.sensors", []string{"roof"})
			if err != nil || len(got.Records) != 1 || !strings.Contains(string(got.Records[0].Value), `"readings":3`) {
				t.Errorf("get = %+v, %v", got, err)
			}
			w.publish(t, "readings", `{"id":"r-6","sensor":"roof","observed_at":"2026-03-01T08:15:00Z","reading":2}`)
			w.eventually(t, "SELECT sensor, readings, average FROM sensors ORDER BY sensor", "cellar|1|11.25", "roof|4|5")
			w.eventually(t, readings, append(rows, "r-6|roof|2")...)
		})
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o755)
		} else {
			var body []byte
			if body, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, body, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
