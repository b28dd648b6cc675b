using Platform.Jobs;

namespace Platform.UnitTests.Jobs;

public sealed class JobTransitionsTests
{
    private static readonly JobState[] Terminal = [JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.DeadLettered];

    [Fact]
    public void Table_EveryPair_IsWhatThePageSays()
    {
        string[] legal =
        [
            "Queued>Placed", "Queued>Running", "Queued>Failed", "Queued>Cancelled",
            "Placed>Running", "Placed>Queued", "Placed>Succeeded", "Placed>Failed", "Placed>Cancelled", "Placed>DeadLettered",
            "Running>Queued", "Running>Succeeded", "Running>Failed", "Running>Cancelled", "Running>DeadLettered",
        ];

        var found =
            from start in Enum.GetValues<JobState>()
            from end in Enum.GetValues<JobState>()
            where JobTransitions.IsLegal(start, end)
            select $"{start}>{end}";

        Assert.Equal(legal.Order(), found.Order());
    }

    [Fact]
    public void Table_TerminalStates_AreExactlyThoseWithoutAWayOut() =>
        Assert.Equal(Terminal, Enum.GetValues<JobState>().Where(JobTransitions.IsTerminal));

    [Fact]
    public void Table_EveryState_IsReachableFromQueuedAndLeadsToAnEnd()
    {
        foreach (var state in Enum.GetValues<JobState>())
        {
            Assert.Contains(state, ReachableFrom(JobState.Queued));
            Assert.Contains(ReachableFrom(state), JobTransitions.IsTerminal);
        }
    }

    private static HashSet<JobState> ReachableFrom(JobState start)
    {
        var seen = new HashSet<JobState> { start };
        var open = new Stack<JobState>(seen);
        while (open.TryPop(out var state))
        {
            foreach (var next in Enum.GetValues<JobState>().Where(next => JobTransitions.IsLegal(state, next) && seen.Add(next)))
            {
                open.Push(next);
            }
        }

        return seen;
    }
}
