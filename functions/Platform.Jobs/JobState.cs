using System.Text.Json.Serialization;

namespace Platform.Jobs;

/// <summary>Every state a job can be in. The legal moves are in <see cref="JobTransitions"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JobState>))]
public enum JobState
{
    /// <summary>Acknowledged and durable; no worker holds it.</summary>
    Queued,

    /// <summary>A worker holds the lease and has not yet said that it runs.</summary>
    Placed,

    /// <summary>A worker runs it and sends heartbeats; of an array job, its children are under way.</summary>
    Running,

    /// <summary>Ended: the result is committed.</summary>
    Succeeded,

    /// <summary>Ended: it failed in a way that another attempt cannot mend.</summary>
    Failed,

    /// <summary>Ended on the user's word.</summary>
    Cancelled,

    /// <summary>Ended: every attempt that the retry policy allows has failed.</summary>
    DeadLettered,
}

/// <summary>The one table of legal moves between job states.</summary>
public static class JobTransitions
{
    private static readonly Dictionary<JobState, JobState[]> Legal = new()
    {
        [JobState.Queued] = [JobState.Placed, JobState.Running, JobState.Failed, JobState.Cancelled],
        [JobState.Placed] = [JobState.Running, JobState.Queued, JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.DeadLettered],
        [JobState.Running] = [JobState.Queued, JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.DeadLettered],
        [JobState.Succeeded] = [],
        [JobState.Failed] = [],
        [JobState.Cancelled] = [],
        [JobState.DeadLettered] = [],
    };

    /// <summary>True if a job in <paramref name="from"/> may become <paramref name="to"/>.</summary>
    public static bool IsLegal(JobState from, JobState to) => Legal[from].Contains(to);

    /// <summary>True if a job in <paramref name="state"/> never changes again.</summary>
    public static bool IsTerminal(JobState state) => Legal[state].Length == 0;
}
