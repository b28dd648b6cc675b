using Microsoft.Extensions.Options;
using Platform.DataPlane.Nvme;

namespace Platform.Worker.Tier;

/// <summary>Opens the node's NVMe tier before the node answers anything, and closes it last.</summary>
internal sealed class OpenTier(WorkerNode node, TimeProvider time, IOptions<WorkerOptions> options, ILogger<NvmeTier> logger) : IAsyncDisposable
{
    private NvmeTier? _tier;

    /// <summary>The tier; there once <see cref="OpenAsync"/> has completed, which comes before everything that uses it.</summary>
    public NvmeTier Tier => _tier ?? throw new InvalidOperationException("The tier is not open yet.");

    public async Task OpenAsync(CancellationToken cancellationToken) =>
        _tier = await NvmeTier.OpenAsync(new NvmeTierOptions { Folder = node.TierFolder, LimitBytes = options.Value.TierLimitBytes, Time = time }, logger, cancellationToken);

    public ValueTask DisposeAsync() => _tier?.DisposeAsync() ?? ValueTask.CompletedTask;
}
