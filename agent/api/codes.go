package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka/settings"
)

// code is a Kafka error code. Nothing outside this package knows any.
type code = int16

var (
	codeNone           code
	codeUnknown        = kerr.UnknownServerError.Code
	codeOffsetRange    = kerr.OffsetOutOfRange.Code
	codeCorrupt        = kerr.CorruptMessage.Code
	codeUnknownTopic   = kerr.UnknownTopicOrPartition.Code
	codeNotLeader      = kerr.NotLeaderForPartition.Code
	codeTimedOut       = kerr.RequestTimedOut.Code
	codeTooLarge       = kerr.MessageTooLarge.Code
	codeInvalidTopic   = kerr.InvalidTopicException.Code
	codeInvalidAcks    = kerr.InvalidRequiredAcks.Code
	codeBadTimestamp   = kerr.InvalidTimestamp.Code
	codeUnsupported    = kerr.UnsupportedVersion.Code
	codeInvalidConfig  = kerr.InvalidConfig.Code
	codeInvalidRequest = kerr.InvalidRequest.Code
	codeNoSession      = kerr.FetchSessionIDNotFound.Code
	codeSessionEpoch   = kerr.InvalidFetchSessionEpoch.Code
	codeSessionTopicID = kerr.FetchSessionTopicIDError.Code
	codeStorage        = kerr.KafkaStorageError.Code
	codeNoCodec        = kerr.UnsupportedCompressionType.Code
	codeInvalidRecord  = kerr.InvalidRecord.Code
	codeTxnState       = kerr.InvalidTxnState.Code
	codeUnknownTopicID = kerr.UnknownTopicID.Code
	codeDeletionOff    = kerr.TopicDeletionDisabled.Code
	codePolicy         = kerr.PolicyViolation.Code
	codePartitions     = kerr.InvalidPartitions.Code
	codeReplication    = kerr.InvalidReplicationFactor.Code
	codeAssignment     = kerr.InvalidReplicaAssignment.Code
	codeExists         = kerr.TopicAlreadyExists.Code

	codeFeatureUpdate      = kerr.InvalidUpdateVersion.Code
	codeNoAuthorizer       = kerr.SecurityDisabled.Code
	codeElectionNotNeeded  = kerr.ElectionNotNeeded.Code
	codeNoEligibleLeader   = kerr.EligibleLeadersNotAvailable.Code
	codeNoPreferredLeader  = kerr.PreferredLeaderNotAvailable.Code
	codeNoLogDir           = kerr.LogDirNotFound.Code
	codeNoReplica          = kerr.ReplicaNotAvailable.Code
	codeNoReassignment     = kerr.NoReassignmentInProgress.Code
	codeMismatchedEndpoint = kerr.MismatchedEndpointType.Code
	codeRetryCoordinator   = kerr.CoordinatorLoadInProgress.Code
)

// codes is the one table of sentinel errors and their Kafka codes. The first match wins.
var codes = []struct {
	err  error
	code code
}{
	{ErrUnknownTopic, codeUnknownTopic},
	{ErrUnknownTopicID, codeUnknownTopicID},
	{ErrUnknownPartition, codeUnknownTopic},
	{ErrTopicExists, codeExists},
	{ErrTopicProtected, codeInvalidRequest},
	{ErrInvalidTopic, codeInvalidTopic},
	{ErrInvalidPartitions, codePartitions},
	{ErrInvalidReplicationFactor, codeReplication},
	{ErrInvalidReplicaAssignment, codeAssignment},
	{ErrInvalidConfig, codeInvalidConfig},
	{ErrInvalidRequest, codeInvalidRequest},
	{ErrPolicyViolation, codePolicy},

	{ErrNotLeader, codeNotLeader},
	{ErrLeaderNotAvailable, kerr.LeaderNotAvailable.Code},
	{ErrFencedLeaderEpoch, kerr.FencedLeaderEpoch.Code},
	{ErrUnknownLeaderEpoch, kerr.UnknownLeaderEpoch.Code},
	{ErrOffsetOutOfRange, codeOffsetRange},
	{ErrOffsetNotAvailable, kerr.OffsetNotAvailable.Code},
	{ErrNotEnoughReplicas, kerr.NotEnoughReplicas.Code},
	{ErrNotEnoughReplicasAfterAppend, kerr.NotEnoughReplicasAfterAppend.Code},
	{ErrTimedOut, codeTimedOut},

	{ErrRecordListTooLarge, kerr.RecordListTooLarge.Code},
	{ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber.Code},
	{ErrDuplicateSequence, kerr.DuplicateSequenceNumber.Code},
	{ErrInvalidProducerEpoch, kerr.InvalidProducerEpoch.Code},
	{ErrInvalidTxnState, codeTxnState},
	{ErrCoordinatorFenced, kerr.TransactionCoordinatorFenced.Code},
	{ErrUnknownProducerID, kerr.UnknownProducerID.Code},

	{group.ErrInvalidGroupID, kerr.InvalidGroupID.Code},
	{group.ErrGroupIDNotFound, kerr.GroupIDNotFound.Code},
	{group.ErrGroupNotEmpty, kerr.NonEmptyGroup.Code},
	{group.ErrGroupMaxSize, kerr.GroupMaxSizeReached.Code},
	{group.ErrUnknownMember, kerr.UnknownMemberID.Code},
	{group.ErrFencedInstance, kerr.FencedInstanceID.Code},
	{group.ErrIllegalGeneration, kerr.IllegalGeneration.Code},
	{group.ErrStaleMemberEpoch, kerr.StaleMemberEpoch.Code},
	{group.ErrInvalidRequest, codeInvalidRequest},
	{group.ErrFencedEpoch, kerr.FencedMemberEpoch.Code},
	{group.ErrUnreleasedInstance, kerr.UnreleasedInstanceID.Code},
	{group.ErrUnsupportedAssignor, kerr.UnsupportedAssignor.Code},
	{group.ErrInvalidRegex, kerr.InvalidRegularExpression.Code},
	{group.ErrUnsupportedVersion, codeUnsupported},
	{group.ErrInconsistentProtocol, kerr.InconsistentGroupProtocol.Code},
	{group.ErrInvalidSessionTimeout, kerr.InvalidSessionTimeout.Code},
	{group.ErrRebalancing, kerr.RebalanceInProgress.Code},
	{group.ErrSubscribedToTopic, kerr.GroupSubscribedToTopic.Code},
	{group.ErrMetadataTooLarge, kerr.OffsetMetadataTooLarge.Code},
	{group.ErrUnstableOffset, kerr.UnstableOffsetCommit.Code},
	{txn.ErrInvalidTransactionalID, codeInvalidRequest},
	{txn.ErrInvalidTimeout, kerr.InvalidTransactionTimeout.Code},
	{txn.ErrTwoPhaseDisabled, kerr.TransactionalIDAuthorizationFailed.Code},
	{txn.ErrKeepPrepared, codeUnsupported},
	{txn.ErrConcurrentTransactions, kerr.ConcurrentTransactions.Code},
	{txn.ErrProducerFenced, kerr.ProducerFenced.Code},
	{txn.ErrInvalidProducerIDMapping, kerr.InvalidProducerIDMapping.Code},
	{txn.ErrInvalidTxnState, codeTxnState},
	{txn.ErrAbortable, kerr.TransactionAbortable.Code},
	{txn.ErrNotFound, kerr.TransactionalIDNotFound.Code},
	{txn.ErrTooManyIDs, codePolicy},
	{txn.ErrTooManyPartitions, codeUnknown},
	{txn.ErrInvalidPattern, kerr.InvalidRegularExpression.Code},

	{coordinator.ErrNotCoordinator, kerr.NotCoordinator.Code},
	{coordinator.ErrLoading, kerr.CoordinatorLoadInProgress.Code},
	{coordinator.ErrNotAvailable, kerr.CoordinatorNotAvailable.Code},

	{ErrDiskFull, kerr.KafkaStorageError.Code},
	{ErrStorage, kerr.KafkaStorageError.Code},
	{ErrCorrupt, codeCorrupt},
	{ErrBucket, kerr.KafkaStorageError.Code},
	{ErrConflict, kerr.NotController.Code},
	{ErrStopping, codeNotLeader},
}

// codeOf is the Kafka code of an error: that of the table, INVALID_CONFIG for a setting, or
// UNKNOWN_SERVER_ERROR.
func codeOf(err error) code {
	if err == nil {
		return codeNone
	}
	for i := range codes {
		if errors.Is(err, codes[i].err) {
			return codes[i].code
		}
	}
	var setting *settings.Error
	if errors.As(err, &setting) {
		return codeInvalidConfig
	}
	return codeUnknown
}

// troubling reports whether an operator should know of a partition answered with a code: the
// fault is the agent's, its disk's or the bucket's.
func troubling(c code) bool {
	return c == codeUnknown || c == codeCorrupt || c == kerr.KafkaStorageError.Code
}

// fault is a code with a sentence, for refusals that the handlers decide on themselves.
type fault struct {
	code    code
	message string
}

func (f fault) text() *string {
	if f.code == codeNone || f.message == "" {
		return nil
	}
	return &f.message
}

// faultOf translates an error with its text.
func faultOf(err error) fault {
	if err == nil {
		return fault{}
	}
	return fault{codeOf(err), err.Error()}
}
