using System.Runtime.CompilerServices;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>A blob of an open tier: what it is, who uses it, and its parts. Chunks come in by <see cref="ChunkFetcher"/> or <see cref="BlobWriter"/>, are recorded by <see cref="BlobRecorder"/> and read by <see cref="ChunkReader"/>.</summary>
internal sealed class Blob : IBudgetItem, IDisposable
{
    private readonly TierEnvironment _tier;
    private readonly ChunkReader _reader;
    private readonly ChunkFetcher _fetcher;

    public Blob(TierEnvironment tier, BlobRecord record)
    {
        _tier = tier;
        Record = record;
        Chunks = new ChunkTable(record);
        Recorder = new BlobRecorder(tier, this);
        _reader = new ChunkReader(tier, this);
        _fetcher = new ChunkFetcher(tier, this);
    }

    /// <summary>What the catalog holds of it, or will hold.</summary>
    public BlobRecord Record { get; set; }

    public BlobLayout Layout => Record.Layout;

    public string Key => Record.Key;

    public TierClass Class => Record.Class;

    public long AllocatedBytes => Layout.AllocatedBytes;

    public bool MayGo => Leases == 0 && !IsPinned && Record.Durability != Durability.OnlyCopy;

    public ChunkTable Chunks { get; }

    public BlobRecorder Recorder { get; }

    /// <summary>Tries so far to copy an only copy to object storage, and what the last said.</summary>
    public (int Tries, string? LastFailure) Upload { get; set; }

    public string FilePath => BlobLayout.PathOf(_tier.Options.Folder, Record.Id);

    public DirectFile File { get; private set; } = null!;

    /// <summary>True if it is whole and recorded. A chunk that was dropped because it is damaged makes that untrue until it is fetched again.</summary>
    public bool IsSealed => Recorder.Sealed.IsCompletedSuccessfully && Chunks.IsWhole;

    /// <summary>Open leases. Under the tier's gate.</summary>
    public int Leases { get; set; }

    /// <summary>True while an operator wants it kept. Under the tier's gate.</summary>
    public bool IsPinned { get; set; }

    /// <summary>Rises with every lease. Under the tier's gate.</summary>
    public long LastUsed { get; set; }

    /// <summary>True once the catalog no longer has it, or is about to lose it; the file goes when the last lease does, and nothing more is recorded.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>Content bytes that can be read without asking object storage: on the device, or in memory on their way to it.</summary>
    public long LandedBytes => _fetcher.LandedBytes;

    /// <summary>Opens the file, creating it for a new blob.</summary>
    public void OpenFile(bool create)
    {
        File = _tier.Device.Open(FilePath, create);
        if (create)
        {
            File.Allocate(Layout.AllocatedBytes);
        }
    }

    /// <summary>Reads a part of one chunk, fetching the chunk first if it is not here.</summary>
    /// <returns>Bytes that came from the device.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<long> ReadAsync(int index, int offsetInChunk, Memory<byte> target, IObjectStorage? storage, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await _fetcher.TryReadAsync(index, offsetInChunk, target, storage, cancellationToken))
            {
                _tier.Meter.Read(Class, target.Length, fromDevice: false);
                return 0;
            }

            try
            {
                var bytes = await _reader.ReadAsync(index, offsetInChunk, target, cancellationToken);
                _tier.Meter.Read(Class, target.Length, fromDevice: true);
                return bytes;
            }
            catch (StorageException cause) when (cause.Error == StorageError.Corrupt && storage is not null)
            {
                Chunks.Drop(index);
            }
        }
    }

    /// <summary>Fetches a chunk if it is not here, and completes when it is.</summary>
    public Task EnsureAsync(int index, IObjectStorage? storage, CancellationToken cancellationToken) => _fetcher.EnsureAsync(index, storage, cancellationToken);

    /// <summary>Compares every chunk with its checksum.</summary>
    /// <returns>Chunks that differ, or cannot be read.</returns>
    public Task<IReadOnlyList<ChunkDamage>> VerifyAsync(CancellationToken cancellationToken) => _reader.VerifyAsync(_fetcher, cancellationToken);

    /// <summary>Fetches a damaged chunk again.</summary>
    /// <exception cref="StorageException">It cannot be fetched, or the object is not what it was.</exception>
    public Task RepairAsync(ChunkDamage damage, IObjectStorage storage, CancellationToken cancellationToken)
    {
        Chunks.Drop(damage.Index);
        return _fetcher.EnsureAsync(damage.Index, storage, cancellationToken);
    }

    /// <summary>Where memory for so many bytes is kept for reuse; null if they are too many for that.</summary>
    public AlignedMemoryCache? ViewMemory(long lengthBytes) => lengthBytes <= _tier.Pipelines.BufferBytes ? _tier.Pipelines : null;

    /// <summary>Buffers for whole chunks, so many at once.</summary>
    public AlignedBufferPool PipelineBuffers(int depth) =>
        Layout.ChunkBytes == _tier.Pipelines.BufferBytes ? new AlignedBufferPool(_tier.Pipelines, depth) : new AlignedBufferPool(Layout.ChunkBytes, depth);

    /// <summary>Waits for what runs in the background.</summary>
    public async Task QuiesceAsync()
    {
        await _fetcher.QuiesceAsync();
        await Recorder.QuiesceAsync();
    }

    public void Dispose()
    {
        File?.Dispose();
        Recorder.Dispose();
    }
}
