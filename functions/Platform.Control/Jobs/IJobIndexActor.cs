using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Methods of the actor that lists jobs, by their names on the wire.</summary>
internal interface IJobIndexActor : IActor
{
    /// <summary>Adds or replaces the row of a job; a row older than the known one changes nothing.</summary>
    Task Record(JobSummary summary);

    /// <summary>One page, newest first.</summary>
    /// <exception cref="ActorException">Code <see cref="ErrorCodes.InvalidRequest"/>: the cursor or the limit is none.</exception>
    Task<JobList> List(JobListRequest request);
}
