using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary>Waits for a job behind a progress bar of its items.</summary>
internal static class JobProgressBar
{
    public static Task<JobStatus> WaitAsync(PlatformClient client, string id, IAnsiConsole console, CancellationToken cancellationToken, Action<JobStatus>? seen = null) =>
        console.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn()).StartAsync(async progress =>
        {
            var bar = progress.AddTask($"{id}", maxValue: 1);
            return await client.WaitForJobAsync(
                id,
                TimeSpan.FromMilliseconds(50),
                job =>
                {
                    bar.Description = $"{job.Id} {job.State}{(job.Attempts.Count > 1 ? $", attempt {job.Attempts.Count}" : "")}";
                    bar.MaxValue = Math.Max(1, job.Progress.Total);
                    bar.Value = job.Progress.Done;
                    seen?.Invoke(job);
                },
                cancellationToken);
        });
}
