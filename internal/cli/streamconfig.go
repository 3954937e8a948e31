package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshctl/meshctl/internal/product"
)

// configFlags are what a stream is set to, as flags.
type configFlags struct {
	File     string
	Set      []string
	Metadata map[string]string
}

func (o *configFlags) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.File, "file", "f", "", "take the configuration of this YAML or JSON `file`")
	f.StringSlice("subjects", nil, "the `subjects` that are stored")
	f.String("description", "", "what it is, for people")
	f.String("retention", "", "drop messages by limits, interest or workqueue")
	f.String("storage", "", "keep them in file or memory")
	f.String("discard", "", "at a limit drop old or refuse new messages")
	f.String("compression", "", "none or s2")
	f.String("max-age", "", "drop messages that are older, such as 30d")
	f.String("duplicates", "", "know a message's id again for so long, such as 2m")
	f.String("max-bytes", "", "hold no more than this, such as 10Gi")
	f.Int64("max-msgs", 0, "hold no more messages")
	f.Int64("max-msgs-per-subject", 0, "hold no more messages of a subject")
	f.String("max-msg-size", "", "take no larger message, such as 1Mi")
	f.Int("replicas", 0, "servers of a cluster that hold it")
	f.StringToStringVar(&o.Metadata, "metadata", nil, "set these `key=value` pairs of its metadata")
	f.StringArrayVar(&o.Set, "set", nil, "set any other `field=value` of JetStream's, as JSON")
	oneOf(cmd, "retention", "limits", "interest", "workqueue")
	oneOf(cmd, "storage", "file", "memory")
	oneOf(cmd, "discard", "old", "new")
	oneOf(cmd, "compression", "none", "s2")
}

// The fields that flags set under another name.
var flagFields = map[string]string{"duplicates": "duplicate_window", "replicas": "num_replicas"}

// patch is what the file and the flags set, the flags having the last word.
func (o *configFlags) patch(g *globals, cmd *cobra.Command) (json.RawMessage, error) {
	fields := map[string]any{}
	if o.File != "" {
		var err error
		if fields, err = readConfig(g.Abs(o.File)); err != nil {
			return nil, err
		}
	}
	for name, value := range fields {
		if text, ok := value.(string); ok {
			v, err := written(name, text)
			if err != nil {
				return nil, err
			}
			fields[name] = v
		}
	}
	var problem error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		field := strings.ReplaceAll(f.Name, "-", "_")
		if to := flagFields[f.Name]; to != "" {
			field = to
		}
		switch f.Name {
		case "subjects":
			fields[field] = f.Value.(pflag.SliceValue).GetSlice()
		case "description", "retention", "storage", "discard", "compression", "max-age", "duplicates", "max-bytes", "max-msg-size":
			v, err := written(field, f.Value.String())
			if err != nil {
				problem = err
			}
			fields[field] = v
		case "max-msgs", "max-msgs-per-subject", "replicas":
			fields[field] = json.Number(f.Value.String())
		}
	})
	if problem != nil {
		return nil, problem
	}
	if len(o.Metadata) > 0 {
		metadata, _ := fields["metadata"].(map[string]any)
		if metadata == nil {
			metadata = map[string]any{}
		}
		for key, value := range o.Metadata {
			metadata[key] = value
		}
		fields["metadata"] = metadata
	}
	for _, set := range o.Set {
		field, value, ok := strings.Cut(set, "=")
		if !ok {
			return nil, usageHint("write it as allow_direct=true", "--set %q is no field and value", set)
		}
		if !json.Valid([]byte(value)) {
			quoted, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			value = string(quoted)
		}
		fields[field] = json.RawMessage(value)
	}
	if len(fields) == 0 && cmd.Name() == "edit" {
		return nil, usageHint("use flags, -f FILE or --set FIELD=VALUE", "what shall the stream be set to?")
	}
	return json.Marshal(fields)
}

// written is a text as the value of a field: durations and sizes are written as in
// dataproduct.yaml.
func written(field, text string) (any, error) {
	switch {
	case durationFields[field]:
		if text == "" || text == "0" {
			return 0, nil
		}
		d, err := product.ParseDuration(text)
		if err != nil {
			return nil, usageHint("write it as 90s, 24h or 30d", "%s: %w", field, err)
		}
		return int64(d), nil
	case field == "max_bytes" || field == "max_msg_size":
		if text == "" || text == "0" || text == "-1" {
			return -1, nil
		}
		n, err := product.Quantity(text).Bytes()
		if err != nil {
			return nil, usageHint("write it as 512Mi or 10Gi", "%s: %w", field, err)
		}
		return n, nil
	}
	return text, nil
}
