namespace Platform.DataPlane.Weights;

/// <summary>Brings chunks in, a few at once, in the order in which the model needs them.</summary>
internal static class StagingPlan
{
    /// <summary>Chunks of megabytes that keep a disk busy.</summary>
    private const int FirstParallelism = 2;

    /// <summary>Completes when all have landed. The first failure stops the rest.</summary>
    /// <param name="plan">What is needed first comes first.</param>
    /// <param name="parallelism">Chunks on their way at once.</param>
    /// <param name="landed">Told the bytes of each chunk that landed by this call.</param>
    /// <param name="cancellationToken">Stops between chunks, and inside one where that is possible.</param>
    public static async Task RunAsync(List<PlannedChunk> plan, int parallelism, Action<PlannedChunk, int> landed, CancellationToken cancellationToken)
    {
        var next = -1;
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Two at first, and another with each that lands: chunks on their way share the disk, and all of them at once would have the first wait for the fourth.
        var waiting = new SemaphoreSlim(Math.Min(FirstParallelism, parallelism));
        async Task RunAsync()
        {
            await waiting.WaitAsync(failed.Token);

            // In the order of the plan, so that what is needed first is asked for first.
            while (Interlocked.Increment(ref next) is var position && position < plan.Count)
            {
                failed.Token.ThrowIfCancellationRequested();
                var chunk = plan[position];
                try
                {
                    var bytes = await chunk.File.LandAsync(chunk.Chunk, failed.Token);
                    if (bytes > 0)
                    {
                        landed(chunk, bytes);
                    }
                }
                catch
                {
                    await failed.CancelAsync();
                    throw;
                }

                waiting.Release();
            }

            waiting.Release();
        }

        using (waiting)
        {
            await Task.WhenAll(Enumerable.Range(0, parallelism).Select(_ => RunAsync()));
        }
    }
}
