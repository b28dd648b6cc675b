using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Methods of the actor that lists jobs, by their names on the wire.</summary>
internal interface IJobIndexActor : IActor
{
    /// <summary>Adds or replaces rows, all of them in one commit; a row older than the known one changes nothing.</summary>
    Task Record(List<JobSummary> rows);

    /// <summary>Removes the row of a job, and keeps what it used in the sums of removed jobs; a row that is not there changes nothing.</summary>
    Task Remove(JobSummary summary);

    /// <summary>Sums of all jobs, those that were removed too.</summary>
    /// <exception cref="ActorException">Code <see cref="ErrorCodes.InvalidRequest"/>: there is no such key to sum up by.</exception>
    Task<UsageTable> Usage(UsageRequest request);

    /// <summary>One page, newest first.</summary>
    /// <exception cref="ActorException">Code <see cref="ErrorCodes.InvalidRequest"/>: the cursor or the limit is none.</exception>
    Task<JobList> List(JobListRequest request);
}
