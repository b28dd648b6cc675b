using System.Diagnostics;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.Local.Supervisor;

/// <summary>Programs of a supervisor that was killed. They stop by themselves as their standard input ends; this waits for that, and ends those that do not.</summary>
internal static class Leftovers
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ClockSlack = TimeSpan.FromSeconds(2);

    /// <summary>Returns when no process of an earlier run on this folder is left.</summary>
    public static async Task WaitForEndAsync(HomeFolder home, TimeProvider time, CancellationToken cancellationToken)
    {
        var (processIds, from, to) = Read(home);
        foreach (var processId in processIds)
        {
            Process process;
            try
            {
                process = Process.GetProcessById(processId);
            }
            catch (ArgumentException)
            {
                continue;
            }

            using (process)
            {
                // The number may belong to somebody else by now: ours began while that supervisor lived.
                if (!BeganBetween(process, from, to))
                {
                    continue;
                }

                using var grace = new CancellationTokenSource(Grace, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(grace.Token, cancellationToken);
                try
                {
                    await process.WaitForExitAsync(either.Token);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    process.Kill(entireProcessTree: true);
                }
            }
        }

        File.Delete(home.RunFile);
    }

    private static bool BeganBetween(Process process, DateTimeOffset from, DateTimeOffset to)
    {
        try
        {
            var began = new DateTimeOffset(process.StartTime);
            return began >= from - ClockSlack && began <= to + ClockSlack;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static (IReadOnlyList<int> ProcessIds, DateTimeOffset From, DateTimeOffset To) Read(HomeFolder home)
    {
        try
        {
            var run = JsonSerializer.Deserialize(File.ReadAllBytes(home.RunFile), RunFileJson.Default.RunFile);
            return run is null ? ([], default, default) : ([.. run.Processes.Select(process => process.ProcessId).OfType<int>()], run.StartedAt, new DateTimeOffset(File.GetLastWriteTimeUtc(home.RunFile)));
        }
        catch (Exception error) when (error is IOException or JsonException)
        {
            return ([], default, default);
        }
    }
}
