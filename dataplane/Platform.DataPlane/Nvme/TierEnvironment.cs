using Microsoft.Extensions.Logging;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme;

/// <summary>What all parts of one open tier share: its settings, its device, its catalog, its buffers, and where it counts and logs.</summary>
internal sealed class TierEnvironment(NvmeTierOptions options, DurableStore catalog, ILogger logger) : IAsyncDisposable
{
    private long _repeatedReads;

    public NvmeTierOptions Options { get; } = options;

    public DurableStore Catalog { get; } = catalog;

    public DirectDevice Device { get; } = new(new DirectDeviceOptions { Folder = options.Folder, Logger = logger, FaultPoint = options.FaultPoint, IsBuffered = options.IsBuffered });

    public AlignedBufferPool Buffers { get; } = new(options.ChunkBytes, options.Buffers);

    /// <summary>Memory that pipelines of whole chunks read into.</summary>
    public AlignedMemoryCache Pipelines { get; } = new(options.ChunkBytes, options.Buffers);

    public TierMeter Meter { get; } = new(options.Folder);

    public ILogger Logger { get; } = logger;

    /// <summary>True if this read of a chunk that was verified before is to be compared again, as the policy says.</summary>
    public bool IsSampled() => Options.Verification switch
    {
        VerificationPolicy.Always => true,
        VerificationPolicy.Sampled => Interlocked.Increment(ref _repeatedReads) % Options.SampleEvery == 0,
        _ => false,
    };

    public string BlobFolder => Path.Combine(Options.Folder, "blobs");

    public async ValueTask DisposeAsync()
    {
        await Catalog.DisposeAsync();
        Device.Dispose();
        Buffers.Dispose();
        Pipelines.Dispose();
        Meter.Dispose();
    }
}
