package deploy

import (
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// What meshctl reads of the objects that a cluster keeps; names are those of the API.

type meta struct {
	Name              string            `json:"name"`
	UID               string            `json:"uid"`
	Generation        int64             `json:"generation"`
	Labels            map[string]string `json:"labels"`
	CreationTimestamp time.Time         `json:"creationTimestamp"`
	DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
	GracePeriod       int64             `json:"deletionGracePeriodSeconds"`
}

func (m *meta) unit() string { return m.Labels[product.LabelName] }

// revision is the revision of the StatefulSet that a pod was made from.
func (m *meta) revision() string { return m.Labels["controller-revision-hash"] }

type statefulSet struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Replicas *int64 `json:"replicas"`
		Template struct {
			Spec struct {
				Containers []struct {
					Name  string `json:"name"`
					Image string `json:"image"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64  `json:"observedGeneration"`
		Replicas           int64  `json:"replicas"`
		ReadyReplicas      int64  `json:"readyReplicas"`
		UpdatedReplicas    int64  `json:"updatedReplicas"`
		CurrentRevision    string `json:"currentRevision"`
		UpdateRevision     string `json:"updateRevision"`
	} `json:"status"`
}

func (s *statefulSet) replicas() int64 {
	if s.Spec.Replicas == nil {
		return 1
	}
	return *s.Spec.Replicas
}

type pod struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		NodeName string `json:"nodeName"`
		Volumes  []struct {
			Name  string `json:"name"`
			Claim *struct {
				Name string `json:"claimName"`
			} `json:"persistentVolumeClaim"`
		} `json:"volumes"`
	} `json:"spec"`
	Status struct {
		Phase          string      `json:"phase"`
		Reason         string      `json:"reason"`
		Message        string      `json:"message"`
		Conditions     []condition `json:"conditions"`
		InitContainers []container `json:"initContainerStatuses"`
		Containers     []container `json:"containerStatuses"`
	} `json:"status"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (p *pod) condition(name string) condition {
	for _, c := range p.Status.Conditions {
		if c.Type == name {
			return c
		}
	}
	return condition{}
}

func (p *pod) ready() bool {
	return p.Metadata.DeletionTimestamp == nil && p.condition("Ready").Status == "True"
}

func (p *pod) restarts() int {
	n := 0
	for _, c := range p.Status.Containers {
		n += c.RestartCount
	}
	return n
}

type container struct {
	Name         string `json:"name"`
	Ready        bool   `json:"ready"`
	Started      *bool  `json:"started"`
	Image        string `json:"image"`
	RestartCount int    `json:"restartCount"`
	State        state  `json:"state"`
	LastState    state  `json:"lastState"`
}

type state struct {
	Waiting    *waiting    `json:"waiting"`
	Running    *struct{}   `json:"running"`
	Terminated *terminated `json:"terminated"`
}

type waiting struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type terminated struct {
	Reason   string `json:"reason"`
	ExitCode int    `json:"exitCode"`
	Message  string `json:"message"`
}

type claim struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		StorageClassName *string `json:"storageClassName"`
		Resources        struct {
			Requests map[string]string `json:"requests"`
		} `json:"resources"`
	} `json:"spec"`
	Status struct {
		Phase      string            `json:"phase"`
		Capacity   map[string]string `json:"capacity"`
		Conditions []condition       `json:"conditions"`
	} `json:"status"`
}

type event struct {
	Metadata  meta      `json:"metadata"`
	Type      string    `json:"type"`
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
	Last      time.Time `json:"lastTimestamp"`
	EventTime time.Time `json:"eventTime"`
	Series    struct {
		Last time.Time `json:"lastObservedTime"`
	} `json:"series"`
	Regarding struct {
		UID  string `json:"uid"`
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"involvedObject"`
}

// at is when the event was last seen.
func (e *event) at() time.Time {
	latest := e.Metadata.CreationTimestamp
	for _, t := range []time.Time{e.Last, e.EventTime, e.Series.Last} {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

type storageClass struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

func (c *storageClass) isDefault() bool {
	return c.Metadata.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
}
