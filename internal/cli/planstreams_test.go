package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/host"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
	"github.com/meshctl/meshctl/internal/product"
)

const lettersYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: letters, domain: post, owner: post@example.org, version: 1.0.0, status: active}
spec:
  outputs:
  - name: letters
    type: event
    schema: [{name: to, logicalType: string}]
`

const threeLettersYAML = lettersYAML + "    retention: {records: 3}\n    stream: {compression: s2}\n"

// planned is a real mesh with the product letters, and a cluster to deploy it to. What runs
// there a pod would run: there need be no node.
type planned struct {
	t       *testing.T
	cluster *kube.Cluster
	state   string
	hub     *app.Hub
	product app.ProductOptions
	stop    func()
}

func newPlanned(t *testing.T) *planned {
	p := &planned{t: t, cluster: kubetest.Cluster(t), state: t.TempDir(), stop: func() {}}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	p.hub, err = app.StartHub(t.Context(), app.HubOptions{
		Data: t.TempDir(), Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: filepath.Join(p.state, "meshctl"), Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.product = app.ProductOptions{
		Dir: t.TempDir(), Data: t.TempDir(), HubLeaf: p.hub.LeafURL(), Version: "test", Logger: log,
		Creds: app.CredsOfThisMachine(filepath.Join(p.state, "meshctl"), p.hub.LeafURL(), filepath.Join(t.TempDir(), "leaf.creds")),
	}
	t.Cleanup(func() {
		p.stop()
		if err := p.hub.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func writeLetters(t *testing.T, dir, yaml string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, product.FileName), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runs replaces what runs, as a rollout does, and is what it says when it does not start.
func (p *planned) runs(yaml, once string) error {
	p.t.Helper()
	p.stop()
	p.stop = func() {}
	writeLetters(p.t, p.product.Dir, yaml)
	o := p.product
	o.LoseOnce = once
	run, err := app.StartProduct(p.t.Context(), o)
	if err != nil {
		return err
	}
	p.stop = func() {
		if err := run.Close(context.Background()); err != nil {
			p.t.Error(err)
		}
	}
	select {
	case <-run.Registered():
	case <-time.After(20 * time.Second):
		p.t.Fatal("the product has not registered")
	}
	return nil
}

// says runs a command about letters as yaml describes them and checks how it ends and what it
// says on stdout and stderr.
func (p *planned) says(want int, yaml string, args []string, says ...string) {
	p.t.Helper()
	dir := filepath.Join(p.t.TempDir(), "letters")
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	writeLetters(p.t, dir, yaml)
	args = append(args, "--kubeconfig", kubetest.Kubeconfig(p.t), "-n", p.cluster.Namespace, "--image", "localhost/meshctl:test", "--server", p.hub.ClientURL(), dir)
	var said bytes.Buffer
	env := func(name string) string { return map[string]string{"XDG_STATE_HOME": p.state}[name] }
	code := Main(p.t.Context(), &host.Host{Args: args, Env: env, Dir: dir, In: strings.NewReader(""), Out: &said, Err: &said, Width: func() int { return 80 }, Now: time.Now})
	if code != want {
		p.t.Errorf("%s ended with %d:\n%s", args[0], code, &said)
	}
	for _, text := range says {
		if not, ok := strings.CutPrefix(text, "!"); ok == strings.Contains(said.String(), not) {
			p.t.Errorf("%s: %q in\n%s", args[0], text, &said)
		}
	}
}

// told is what the pods are told that they may lose.
func (p *planned) told() string {
	p.t.Helper()
	set, err := p.cluster.Get(p.t.Context(), kube.Ref{Kind: "StatefulSet", Name: "letters"})
	if err != nil {
		p.t.Fatal(err)
	}
	containers, _ := kube.Field(set, "spec", "template", "spec", "containers").([]any)
	env, _ := kube.Field(containers[0].(map[string]any), "env").([]any)
	for _, v := range env {
		if v := v.(map[string]any); kube.Text(v, "name") == product.VariableLoseData {
			return kube.Text(v, "value")
		}
	}
	return ""
}

// What a deploy changes of streams is planned with it, refused where records would go, and
// insisted on once.
func TestDeployPlansStreams(t *testing.T) {
	p := newPlanned(t)
	diff, deploy := []string{"diff"}, []string{"deploy", "--wait=false"}
	insist := append(deploy, "--dangerous-lose-data")
	p.says(0, lettersYAML, deploy, "create statefulset/letters", "streams: not compared: it does not run yet")
	if err := p.runs(lettersYAML, ""); err != nil {
		t.Fatal(err)
	}
	p.says(0, lettersYAML, []string{"diff"}, "!stream")
	p.publish(4)

	const refusal = "limit of 3 messages is below the 4 there are"
	p.says(1, threeLettersYAML, diff, "~ change (rolling) statefulset/letters", "~ change stream letters/letters-v1",
		"      compression: (none) -> s2\n", "      max_msgs: unlimited -> 3\n", "refused: "+refusal, "; 1 stream to change",
		"meshctl deploy would refuse this: nothing was changed", "--dangerous-lose-data")
	p.says(1, threeLettersYAML, deploy, "letters: stream letters-v1: "+refusal)
	p.says(1, threeLettersYAML, append(deploy, "-o", "json"), `"danger": "lose-data"`, `"stream": "letters-v1"`)
	if got := p.told(); got != "" {
		t.Errorf("it was refused, and the pods are told %q", got)
	}
	p.says(0, strings.Replace(lettersYAML, "1.0.0", "1.0.1", 1), insist, "!MESHCTL_LOSE_DATA", "!stream") // of no use here
	p.says(0, threeLettersYAML, insist, "insisted on: "+refusal, "MESHCTL_LOSE_DATA")

	if err := p.runs(threeLettersYAML, p.told()); err != nil {
		t.Fatal(err)
	}
	p.says(0, threeLettersYAML, deploy, "0 to create, 0 to change, 0 to prune", "!stream")
	p.says(0, lettersYAML, deploy, "max_msgs: 3 -> unlimited", "MESHCTL_LOSE_DATA", "-> (none)")
	if err := p.runs(lettersYAML, p.told()); err != nil {
		t.Fatal(err)
	}
	p.publish(1)
	p.says(1, threeLettersYAML, deploy, refusal) // it was said of another day
	p.stop()
	p.stop = func() {}
	p.says(1, threeLettersYAML, diff, "streams: not compared: product letters is not running", "!refuse")
	p.says(0, threeLettersYAML, append(insist, "--dry-run=server"), "MESHCTL_LOSE_DATA")
}

func (p *planned) publish(n int) {
	p.t.Helper()
	c, err := app.Dial(p.t.Context(), app.ClientOptions{Server: p.hub.ClientURL(), StateDir: filepath.Join(p.state, "meshctl")})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	left := n
	sent, err := c.Publish(p.t.Context(), "letters", func() ([]byte, error) {
		if left--; left < 0 {
			return nil, io.EOF
		}
		return []byte(`{"to":"you"}`), nil
	}, app.PublishOptions{})
	if err != nil || !sent.Visible {
		p.t.Fatalf("sent %+v, %v", sent, err)
	}
}
