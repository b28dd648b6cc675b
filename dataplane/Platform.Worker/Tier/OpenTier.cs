using Microsoft.Extensions.Options;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;

namespace Platform.Worker.Tier;

/// <summary>Opens the node's NVMe tier before the node answers anything, and closes it last.</summary>
internal sealed class OpenTier(WorkerNode node, TimeProvider time, IOptions<WorkerOptions> options, ILogger<NvmeTier> logger) : IAsyncDisposable
{
    private static readonly TimeSpan PredecessorTime = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private NvmeTier? _tier;

    /// <summary>The tier; there once <see cref="OpenAsync"/> has completed, which comes before everything that uses it.</summary>
    public NvmeTier Tier => _tier ?? throw new InvalidOperationException("The tier is not open yet.");

    /// <summary>Opens the tier. A predecessor whose supervisor was killed may still be on its way out: it gets a moment to let go of the folder.</summary>
    /// <exception cref="StorageException">The folder is in use, damaged or of another version.</exception>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        var settings = new NvmeTierOptions { Folder = node.TierFolder, LimitBytes = options.Value.TierLimitBytes, Time = time };
        var started = time.GetTimestamp();
        while (_tier is null)
        {
            try
            {
                _tier = await NvmeTier.OpenAsync(settings, logger, cancellationToken);
            }
            catch (StorageException fault) when (fault.Error == StorageError.InUse && time.GetElapsedTime(started) < PredecessorTime)
            {
                await Task.Delay(PollInterval, time, cancellationToken);
            }
        }
    }

    public ValueTask DisposeAsync() => _tier?.DisposeAsync() ?? ValueTask.CompletedTask;
}
