package manifest

import (
	"strconv"

	"github.com/meshctl/meshctl/internal/product"
)

// user is the uid and gid that every pod runs as: that of "nonroot" in distroless images.
const user = int64(65532)

// CredsPath is the folder where a pod finds its credentials.
const CredsPath = "/etc/meshctl/creds"

// Where a pod finds what else is mounted.
const (
	dataPath   = "/data"
	bucketPath = "/etc/meshctl/bucket"
	tlsPath    = "/etc/meshctl/tls"
	folderPath = "/product"
)

// How a pod ends. Endpoints forget it during the pause, so that nobody new comes; then
// the process drains, for which it gives itself half a minute.
const (
	drainPause = int64(5)  // seconds
	endWithin  = int64(45) // seconds, the pause included
)

// What a pod may keep outside its volume: /tmp, and its log.
const (
	tmpSize   = "256Mi"
	localDisk = "512Mi"
)

// goHeapPercent is the part of a pod's memory that the Go heap grows to before the
// collector works harder. DuckDB takes up to a half, mapped files the rest.
const goHeapPercent = 40

// pod is the StatefulSet's template.
func (w *workload) pod() map[string]any {
	meta := map[string]any{"labels": w.allLabels()}
	if w.config != nil {
		meta["annotations"] = map[string]any{product.AnnotationConfig: w.config.digest()}
	}
	spec := map[string]any{
		"serviceAccountName":            w.name,
		"automountServiceAccountToken":  false,
		"enableServiceLinks":            false,
		"terminationGracePeriodSeconds": endWithin,
		"securityContext": map[string]any{
			"runAsNonRoot": true, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
			"fsGroupChangePolicy": "OnRootMismatch",
			"seccompProfile":      map[string]any{"type": "RuntimeDefault"},
		},
		"affinity":                  w.affinity(),
		"topologySpreadConstraints": w.spread(),
		"containers":                []any{w.container()},
		"volumes":                   w.volumes(),
	}
	if len(w.pullSecrets) > 0 {
		var secrets []any
		for _, name := range w.pullSecrets {
			secrets = append(secrets, map[string]any{"name": name})
		}
		spec["imagePullSecrets"] = secrets
	}
	return map[string]any{"metadata": meta, "spec": spec}
}

// spread asks for pods on different nodes and in different zones where there are such;
// with fewer they run all the same.
func (w *workload) spread() []any {
	var all []any
	for _, key := range []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone"} {
		all = append(all, map[string]any{
			"maxSkew": int64(1), "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": map[string]any{"matchLabels": w.selector()},
		})
	}
	return all
}

// affinity weighs against two pods of one workload on one node more than spread does.
func (w *workload) affinity() map[string]any {
	return map[string]any{"podAntiAffinity": map[string]any{
		"preferredDuringSchedulingIgnoredDuringExecution": list(map[string]any{
			"weight": int64(100),
			"podAffinityTerm": map[string]any{
				"topologyKey":   "kubernetes.io/hostname",
				"labelSelector": map[string]any{"matchLabels": w.selector()},
			},
		}),
	}}
}

func (w *workload) container() map[string]any {
	var ports []any
	for _, p := range w.ports {
		ports = append(ports, map[string]any{"name": p.name, "containerPort": p.number, "protocol": "TCP"})
	}
	// Requests equal limits, so that a pod is among the last that a full node evicts.
	amounts := func() map[string]any {
		return map[string]any{"cpu": w.cpu, "memory": w.memory, "ephemeral-storage": localDisk}
	}
	return map[string]any{
		"name":            "meshctl",
		"image":           w.image,
		"imagePullPolicy": w.pullPolicy,
		"command":         list("/usr/bin/meshctl"),
		"args":            list(w.args...),
		"env":             w.env,
		"ports":           ports,
		"startupProbe":    w.startup,
		"livenessProbe":   w.live,
		"readinessProbe":  w.ready,
		"lifecycle":       map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": drainPause}}},
		"resources":       map[string]any{"requests": amounts(), "limits": amounts()},
		"securityContext": map[string]any{
			"allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
			"runAsNonRoot": true, "runAsUser": user, "runAsGroup": user,
			"capabilities":   map[string]any{"drop": list("ALL")},
			"seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"terminationMessagePolicy": "FallbackToLogsOnError",
		"volumeMounts":             w.mounts(),
	}
}

// volumes are the pod's beside that of the claim template.
func (w *workload) volumes() []any {
	all := list(
		map[string]any{"name": "tmp", "emptyDir": map[string]any{"sizeLimit": tmpSize}},
		map[string]any{"name": "creds", "secret": map[string]any{
			"secretName": product.CredsSecret(w.name), "optional": true, "defaultMode": int64(0o440),
		}},
	)
	if w.bucketSecret != "" {
		// Optional, so that the process itself says what it misses.
		all = append(all, map[string]any{"name": "bucket", "secret": map[string]any{
			"secretName": w.bucketSecret, "optional": true, "defaultMode": int64(0o440),
		}})
	}
	if w.tlsSecret != "" {
		var items []any
		for _, file := range w.tlsFiles {
			items = append(items, map[string]any{"key": file, "path": file})
		}
		all = append(all, map[string]any{"name": "tls", "secret": map[string]any{
			"secretName": w.tlsSecret, "items": items, "defaultMode": int64(0o440),
		}})
	}
	if w.config != nil {
		all = append(all, map[string]any{"name": "product", "configMap": map[string]any{
			"name": w.name, "defaultMode": configMode,
		}})
	}
	return all
}

// mounts are the container's. The product's files are mounted one by one, so that they
// lie beside whatever the image has in the folder.
func (w *workload) mounts() []any {
	all := list(
		map[string]any{"name": product.DataVolume, "mountPath": dataPath},
		map[string]any{"name": "tmp", "mountPath": "/tmp"},
		map[string]any{"name": "creds", "mountPath": CredsPath, "readOnly": true},
	)
	if w.bucketSecret != "" {
		all = append(all, map[string]any{"name": "bucket", "mountPath": bucketPath, "readOnly": true})
	}
	if w.tlsSecret != "" {
		all = append(all, map[string]any{"name": "tls", "mountPath": tlsPath, "readOnly": true})
	}
	if w.config == nil {
		return all
	}
	for _, path := range sortedKeys(w.config.files) {
		all = append(all, map[string]any{
			"name": "product", "mountPath": folderPath + "/" + path, "subPath": configKey(path), "readOnly": true,
		})
	}
	return all
}

// probe asks an HTTP path every so often; so many failures in a row count.
func probe(path, port string, every, failures int64) map[string]any {
	return map[string]any{
		"httpGet":       map[string]any{"path": path, "port": port, "scheme": "HTTP"},
		"periodSeconds": every, "timeoutSeconds": min(every, 5), "failureThreshold": failures,
	}
}

// environment is what every pod's process is told: where it may write, and how much
// memory it has.
func environment(memory string) ([]any, error) {
	bytes, err := product.Quantity(memory).Bytes()
	if err != nil {
		return nil, err
	}
	return list(
		variable("GOMEMLIMIT", strconv.FormatInt(bytes/100*goHeapPercent, 10)),
		variable("HOME", "/tmp"),
	), nil
}

func variable(name, value string) map[string]any {
	return map[string]any{"name": name, "value": value}
}
