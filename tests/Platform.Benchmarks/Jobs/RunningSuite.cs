using Platform.Jobs;

namespace Platform.Benchmarks.Jobs;

/// <summary>From the call that submits a job to the moment at which its worker says that it runs, with one worker that has nothing else to do.</summary>
internal static class RunningSuite
{
    private const int Runs = 100;
    private const int WarmUps = 10;

    public static async Task RunAsync(Figures figures, JobsPlatform platform, List<TimeSpan>? redis, List<TimeSpan>? rabbit)
    {
        var times = new List<TimeSpan>();
        for (var run = 0; run < Runs + WarmUps; run++)
        {
            var id = $"run-{run}";
            var began = TimeProvider.System.GetUtcNow();

            // Above those that wait for ever, so that it is this job's turn.
            await platform.SubmitAsync(id, priority: 100);
            await platform.DispatchAsync(id);
            JobStatus? job = null;
            await JobsPlatform.UntilAsync(async () => (job = await platform.GetAsync(id)) is { } status && JobTransitions.IsTerminal(status.State));
            if (run >= WarmUps && job!.Attempts is [{ StartedAt: { } started }])
            {
                times.Add(started - began);
            }
        }

        figures.AddTimes("enqueue to running", times);
        figures.AddRatio("enqueue to running / redis push to pop, p50", times, redis);
        figures.AddRatio("enqueue to running / rabbitmq delivery, p50", times, rabbit);
    }
}
