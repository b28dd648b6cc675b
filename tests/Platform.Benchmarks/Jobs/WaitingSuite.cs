using System.Diagnostics;

namespace Platform.Benchmarks.Jobs;

/// <summary>Many jobs that only wait: whether list and get stay flat, and what each of them costs while nothing happens.</summary>
internal static class WaitingSuite
{
    private const int Calls = 200;
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(15);

    /// <summary>An actor that nobody called for a minute leaves memory; by then all of them have.</summary>
    private static readonly TimeSpan UntilGone = TimeSpan.FromSeconds(75);

    public static async Task RunAsync(Figures figures, JobsPlatform platform, int queued)
    {
        var before = (List: await TimeAsync(() => platform.ListAsync()), Get: await TimeAsync(() => platform.GetAsync("one-1")), Bytes: platform.StateBytes, Memory: MemoryOf(platform.Control));
        var began = Stopwatch.GetTimestamp();

        // Each with its doorbell, as the queue would ring it: it asks for a node, and there is none.
        await Parallel.ForEachAsync(Enumerable.Range(0, queued), new ParallelOptions { MaxDegreeOfParallelism = SubmissionSuite.AtOnce }, async (i, _) =>
        {
            await platform.SubmitAsync($"wait-{i}");
            await platform.DispatchAsync($"wait-{i}");
        });
        var took = Stopwatch.GetElapsedTime(began);

        // The last rows are still on their way into the index; their commits are not what a listing costs.
        await Task.Delay(Settle);
        var list = await TimeAsync(() => platform.ListAsync());
        var get = await TimeAsync(() => platform.GetAsync("one-1"));
        figures.Add("waiting jobs", queued, "");
        figures.Add("waiting jobs made/s, submitted and dispatched", queued / took.TotalSeconds, "1/s");
        figures.Add("list of 50 rows p50 before", before.List, "us");
        figures.Add("list of 50 rows p50 with all of them", list, "us");
        figures.Add("get p50 before", before.Get, "us");
        figures.Add("get p50 with all of them", get, "us");
        figures.Add("state on disk per waiting job", (platform.StateBytes - before.Bytes) / (double)queued, "B");
        figures.Add("memory of control before", before.Memory / 1e6, "MB");
        figures.Add("memory of control with all of them", MemoryOf(platform.Control) / 1e6, "MB");
        figures.Add("memory of control per waiting job", (MemoryOf(platform.Control) - before.Memory) / (double)queued, "B");
        await MeasureIdleAsync(figures, platform, "right after");
        await Task.Delay(UntilGone);
        await MeasureIdleAsync(figures, platform, "once all have left memory");
        figures.Add("wake-ups per waiting job and hour, by its alarm", TimeSpan.FromHours(1) / new Control.ControlOptions().QueueRecheck, "");
    }

    /// <summary>Processor time while nothing is asked for: of control, and of this process, in which the sidecars run.</summary>
    private static async Task MeasureIdleAsync(Figures figures, JobsPlatform platform, string when)
    {
        var (control, own) = (CpuOf(platform.Control), CpuOf(Process.GetCurrentProcess()));
        await Task.Delay(Idle);
        var perMinute = TimeSpan.FromMinutes(1) / Idle;
        figures.Add($"CPU of control per idle minute, {when}", (CpuOf(platform.Control) - control).TotalMilliseconds * perMinute, "ms");
        figures.Add($"CPU of the sidecars per idle minute, {when}", (CpuOf(Process.GetCurrentProcess()) - own).TotalMilliseconds * perMinute, "ms");
    }

    private static TimeSpan CpuOf(Process process)
    {
        process.Refresh();
        return process.TotalProcessorTime;
    }

    private static long MemoryOf(Process process)
    {
        process.Refresh();
        return process.WorkingSet64;
    }

    private static async Task<double> TimeAsync<T>(Func<Task<T>> call)
    {
        var times = new List<TimeSpan>();
        for (var i = 0; i < Calls; i++)
        {
            var begin = Stopwatch.GetTimestamp();
            await call();
            times.Add(Stopwatch.GetElapsedTime(begin));
        }

        return Figures.At(times, 0.5);
    }
}
