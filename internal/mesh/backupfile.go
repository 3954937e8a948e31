package mesh

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/jsm.go/backup"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
)

// The files of a backup in its folder, named as the nats command line does.
const (
	ArchiveFile = backup.DataFile
	BackupFile  = backup.MetaFile
)

// WriteBackup writes what is known of an archive beside it, which makes a folder a backup,
// after it has read the archive: that its end is there, and as many messages as there were.
func WriteBackup(dir string, b *Backup) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, BackupFile)
	if err := durable.Write(path, data); err != nil {
		return fmt.Errorf("write a backup: %w", err)
	}
	if err := checkBackup(dir, b); err != nil {
		_ = os.Remove(path) // it is none
		return err
	}
	return nil
}

func checkBackup(dir string, b *Backup) error {
	report, err := backup.Verify(dir)
	if err != nil {
		return fault.New(fault.Conflict, "take the backup again", "the archive of stream %s is damaged behind %s: %w", b.Config.Name, report.LastGood, err)
	}
	if !report.Complete || report.Messages != b.State.Msgs {
		return fault.New(fault.Conflict, "take the backup again", "the archive of stream %s has %d messages, not %d", b.Config.Name, report.Messages, b.State.Msgs)
	}
	return nil
}

// ReadBackup reads what is known of the archive in a folder; NotFound when there is none.
func ReadBackup(dir string) (*Backup, error) {
	data, err := os.ReadFile(filepath.Join(dir, BackupFile))
	if err != nil {
		return nil, fault.New(fault.NotFound, "name the folder that meshctl stream backup wrote", "%s holds no backup: %w", dir, err)
	}
	var b Backup
	if err := json.Unmarshal(data, &b); err != nil || b.Config.Name == "" {
		return nil, fault.New(fault.Invalid, "name the folder that meshctl stream backup wrote", "read %s: it is no backup of a stream", filepath.Join(dir, BackupFile))
	}
	return &b, nil
}
