using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Methods of the actor of one job, by their names on the wire. Answers are values: an unknown job is null, a stale token is an answer, so that callers need no error parsing.</summary>
internal interface IJobActor : IActor
{
    /// <summary>Makes the job durable. The same spec again changes nothing; another spec under the same id is a conflict.</summary>
    Task<SubmitAnswer> Submit(JobSpec spec);

    /// <summary>Looks for a node now, if the job waits for one. Null if there is no such job.</summary>
    Task<JobStatus?> Dispatch();

    /// <summary>The job as it stands; null if there is none.</summary>
    Task<JobStatus?> Get();

    /// <summary>Ends the job on the user's word; nothing happens if it has ended. Null if there is no such job.</summary>
    Task<JobStatus?> Cancel();

    /// <summary>Has a worker delete what attempts of the ended job left in object storage. Null if the job is unknown, goes on, or no worker could do it now.</summary>
    Task<TidyAnswer?> Tidy();

    /// <summary>A worker is about to begin; it must not before this is accepted.</summary>
    Task<LeaseAnswer> Started(LeaseReport report);

    /// <summary>A worker lives and works.</summary>
    Task<LeaseAnswer> Heartbeat(LeaseReport report);

    /// <summary>A worker is done; accepted means that the result is committed, also when it is said again.</summary>
    Task<LeaseAnswer> Complete(LeaseReport report);

    /// <summary>A worker stops and hands its lease back; the attempt does not count.</summary>
    Task<LeaseAnswer> Return(LeaseReport report);

    /// <summary>A child of this array job has ended. Null if this is no array job.</summary>
    Task<JobStatus?> ChildEnded(ChildReport child);

    /// <summary>The parent of this child of an array is being removed, and the child with it. Null once nothing of the child is left, or if the job is not that child.</summary>
    Task<JobStatus?> Forget(JobArrayMember member);

    /// <summary>A worker found that objects which the waiting job needs do not exist: it fails now, and does not wait for its turn. Null if there is no such job.</summary>
    Task<JobStatus?> ObjectsMissing(MissingObjects missing);

    /// <summary>What came of a delivery of the webhook. Null if there is no such job, or it has no webhook.</summary>
    Task<JobStatus?> WebhookTried(WebhookReport report);

    /// <summary>A worker could not do it.</summary>
    Task<LeaseAnswer> Fail(LeaseReport report);
}
