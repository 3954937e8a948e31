package mesh

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
)

// ask asks what of the JetStream API of a domain and reads the answer. subject
// is one of package api's templates, filled in.
func ask[T any](ctx context.Context, nc *Conn, domain, subject string, what any) (T, error) {
	var answer T
	var body []byte
	if what != nil {
		var err error
		if body, err = json.Marshal(what); err != nil {
			return answer, err
		}
	}
	m, err := request(ctx, nc, &nats.Msg{Subject: jsm.APISubject(subject, "", domain), Data: body}, domainName(domain))
	if err != nil {
		return answer, err
	}
	var head api.JSApiResponse
	if err := json.Unmarshal(m.Data, &head); err != nil {
		return answer, fmt.Errorf("read answer to %s: %w", subject, err)
	}
	if head.Error != nil {
		return answer, apiFault(head.Error)
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return answer, fmt.Errorf("read answer to %s: %w", subject, err)
	}
	return answer, nil
}

func streamInfo(ctx context.Context, nc *Conn, domain, stream string) (*api.StreamInfo, error) {
	answer, err := ask[api.JSApiStreamInfoResponse](ctx, nc, domain, fmt.Sprintf(api.JSApiStreamInfoT, stream), nil)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	if answer.StreamInfo == nil {
		return nil, fault.New(fault.Internal, "", "stream %s: the server sent no information", stream)
	}
	return answer.StreamInfo, nil
}
