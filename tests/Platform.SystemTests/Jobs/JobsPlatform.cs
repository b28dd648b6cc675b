using System.Text.Json;
using Platform.Jobs;

namespace Platform.SystemTests.Jobs;

/// <summary>A platform whose operator allows commands, with short times between the steps of retries, webhooks and arrays.</summary>
public sealed class JobsPlatform() : RunningPlatform(new Dictionary<string, string>
{
    ["Worker__ExecEnabled"] = "true",
    ["Worker__MaxJobs"] = "2",
    ["Worker__Devices"] = "1",
    ["Worker__PriceMicrosPerHour"] = "3600000",
    ["Control__RetryDelay"] = "00:00:00.05",
    ["Control__ArrayCheck"] = "00:00:01",
    ["Control__WebhookDelay"] = "00:00:00.1",
    ["Control__WebhookTimeout"] = "00:00:00.4",
    ["Control__WebhookTries"] = "3",
    ["Control__WebhookSecrets__default"] = WebhookSecret,
})
{
    /// <summary>As Standard Webhooks has it.</summary>
    public const string WebhookSecret = "whsec_c2VjcmV0IG9mIHRoZSBzeXN0ZW0gdGVzdHM=";

    /// <summary>A job that runs a line of shell.</summary>
    internal static JobSpec Shell(string id, string line) => new() { Id = id, Kind = JobKinds.Exec, Command = ["/bin/sh", "-c", line] };

    internal async Task<JobStatus> RunAsync(JobSpec spec, CancellationToken cancellationToken)
    {
        await SubmitAsync(spec, cancellationToken);
        return await EndOfJobAsync(spec.Id!, cancellationToken);
    }

    internal async Task UntilAsync(string id, Func<JobStatus, bool> isSo, CancellationToken cancellationToken) =>
        await UntilAsync(async () => isSo(await JobAsync(id, cancellationToken)), $"what job {id} should become", cancellationToken);

    internal async Task<UsageTable> UsageAsync(string by, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await Http.GetStringAsync(new Uri($"api/usage?by={by}", UriKind.Relative), cancellationToken), JobsJson.Default.UsageTable)!;

    /// <summary>Where a key of the platform's object storage lies.</summary>
    internal string PathOf(string key) => Path.Combine(new HomeFolder(Home).Objects, key);

    /// <summary>Takes every job slot until it is disposed of, so that other jobs must wait.</summary>
    internal async Task<IAsyncDisposable> FillAsync(string name, CancellationToken cancellationToken)
    {
        const int Slots = 4;
        var ids = Enumerable.Range(0, Slots).Select(i => $"{name}-{i}").ToArray();
        foreach (var id in ids)
        {
            await SubmitAsync(Shell(id, "sleep 60") with { Priority = 100, GraceSeconds = 0 }, cancellationToken);
        }

        foreach (var id in ids)
        {
            await UntilAsync(id, job => job.State == JobState.Running, cancellationToken);
        }

        return new Filling(this, ids);
    }

    private sealed class Filling(JobsPlatform platform, string[] ids) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var id in ids)
            {
                using var answer = await platform.PostAsync($"api/jobs/{id}/cancel", "", CancellationToken.None);
            }

            await UntilAsync(async () => (await platform.NodesAsync(CancellationToken.None)).All(node => node.Heartbeat.RunningJobs == 0), "free slots", CancellationToken.None);
        }
    }
}
