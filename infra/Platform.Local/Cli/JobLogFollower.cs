namespace Platform.Local.Cli;

/// <summary>Prints a job's log as it comes, over all attempts, to the end of the job. A connection that breaks is taken up again where it broke.</summary>
internal static class JobLogFollower
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private const int MaxFailures = 20;

    public static async Task FollowAsync(PlatformClient client, string id, TextWriter output, CancellationToken cancellationToken)
    {
        string? last = null;
        for (var failures = 0; ; failures++)
        {
            try
            {
                await foreach (var item in client.FollowJobLogAsync(id, last, cancellationToken))
                {
                    (last, failures) = (item.EventId ?? last, 0);
                    switch (item.EventType)
                    {
                        case "end":
                            return;
                        case "attempt":
                            await output.WriteLineAsync($"--- another attempt: {item.Data}");
                            break;
                        default:
                            await output.WriteLineAsync(item.Data);
                            break;
                    }
                }
            }
            catch (Exception fault) when (failures < MaxFailures && fault is IOException or HttpRequestException or PlatformException { ExitCode: ExitCodes.NotRunning })
            {
                // The host restarts, or a connection broke; the place is known.
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }
}
