package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
)

// describeNotFoundSince is the first version of DescribeGroups that says that a group is not there;
// older ones are told of a dead one.
const describeNotFoundSince = 6

// groupDead is the state of a group that is not there.
const groupDead = "Dead"

// describeGroups answers DescribeGroups (key 15), for classic groups.
func (h *Handler) describeGroups(
	ctx context.Context, version int16, req *kmsg.DescribeGroupsRequest,
) *kmsg.DescribeGroupsResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	resp := kmsg.NewPtrDescribeGroupsResponse()
	for _, id := range req.Groups {
		d, err := h.backend.DescribeGroup(ctx, id)
		out := describedGroup(id, &d)
		switch {
		case errors.Is(err, group.ErrGroupIDNotFound):
			out.State = groupDead
			if version >= describeNotFoundSince {
				f := notDescribed(err, id, "classic")
				out.ErrorCode, out.ErrorMessage = f.code, f.text()
			}
		case err != nil:
			out.ErrorCode = groupCode(err)
		}
		out.AuthorizedOperations = opsNotAsked
		if version >= 3 && req.IncludeAuthorizedOperations && out.ErrorCode == codeNone {
			out.AuthorizedOperations = groupOps
		}
		resp.Groups = append(resp.Groups, out)
	}
	return resp
}

func describedGroup(id string, d *group.Described) kmsg.DescribeGroupsResponseGroup {
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.Group, out.State = id, d.State
	out.ProtocolType, out.Protocol = d.ProtocolType, d.Protocol
	for _, m := range d.Members {
		out.Members = append(out.Members, kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.MemberID, InstanceID: m.InstanceID,
			ClientID: m.Client.ID, ClientHost: m.Client.Host,
			ProtocolMetadata: m.Metadata, MemberAssignment: m.Assignment,
		})
	}
	return out
}

// notDescribed is what the description of a group of a type ends with where there is none.
func notDescribed(err error, id, wanted string) fault {
	if errors.Is(err, group.ErrOtherGroupType) {
		return fault{groupCode(err), fmt.Sprintf("Group %s is not a %s group.", id, wanted)}
	}
	return fault{groupCode(err), fmt.Sprintf("Group %s not found.", id)}
}
