using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Nvme;

/// <summary>Bytes of a blob in memory of the tier, valid until it is disposed.</summary>
/// <remarks>Memory of the tier's chunk size is used again and again; a longer view has memory of its own, which disposing frees.</remarks>
public sealed class BlobView : IDisposable
{
    private readonly AlignedMemoryCache? _cache;
    private AlignedMemory? _memory;

    internal BlobView(AlignedMemory memory, AlignedMemoryCache? cache, ReadOnlyMemory<byte> bytes)
    {
        _memory = memory;
        _cache = cache;
        Memory = bytes;
    }

    /// <summary>The bytes that were asked for.</summary>
    public ReadOnlyMemory<byte> Memory { get; }

    /// <summary>Lets the memory go. Nothing may read it any more.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _memory, null) is not { } memory)
        {
            return;
        }

        if (_cache is null)
        {
            memory.Dispose();
        }
        else
        {
            _cache.Return(memory);
        }
    }
}
