using Microsoft.Extensions.Logging;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme;

/// <summary>What all parts of one open tier share: its settings, its device, its catalog, its buffers, and where it counts and logs.</summary>
internal sealed class TierEnvironment : IAsyncDisposable
{
    private long _repeatedReads;

    public TierEnvironment(NvmeTierOptions options, DurableStore catalog, DirectIoNotice notice, ILogger logger)
    {
        Options = options;
        Catalog = catalog;
        Notice = notice;
        Logger = logger;
        Buffers = new AlignedBufferPool(options.ChunkBytes, options.Buffers);
        Incoming = new SemaphoreSlim(options.Buffers / 2);
        Pipelines = new AlignedMemoryCache(options.ChunkBytes, options.Buffers);
        Meter = new TierMeter(options.Folder);
        Device = new DirectDevice(new DirectDeviceOptions { Folder = options.Folder, FaultPoint = options.FaultPoint, IsBuffered = options.IsBuffered, OnBuffered = notice.Say });
    }

    public NvmeTierOptions Options { get; }

    public DurableStore Catalog { get; }

    /// <summary>The device of the blobs. The catalog and the block store have their own.</summary>
    public DirectDevice Device { get; }


    public AlignedBufferPool Buffers { get; }

    /// <summary>Held while a chunk is taken from a writer's stream into one of <see cref="Buffers"/>: streams that stall have half of them at most, and may themselves be read from this tier.</summary>
    public SemaphoreSlim Incoming { get; }

    /// <summary>Cancelled when the tier closes: nobody waits for object storage any more.</summary>
    public CancellationTokenSource Closing { get; } = new();

    /// <summary>Memory that pipelines of whole chunks read into.</summary>
    public AlignedMemoryCache Pipelines { get; }

    public TierMeter Meter { get; }

    public ILogger Logger { get; }

    public DirectIoNotice Notice { get; }

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

        // Not Incoming and Closing: a put whose stream ends after the tier, or a late fetch, still uses them.
        Meter.Dispose();
    }
}
